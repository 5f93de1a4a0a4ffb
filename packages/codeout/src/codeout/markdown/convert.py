"""A conversion from its beginning to its end: which page it is, what is inserted, and what its mistakes become."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from markdown import Markdown
from markdown_exec import formatter
from pymdownx.snippets import SnippetMissingError
from pymdownx.superfences import SuperFencesCodeExtension, SuperFencesException

from codeout.cache.keys import digest
from codeout.errors import CodeoutError, PageError
from codeout.markdown.fences import find_fences, find_mistake, read_stamp, stamp, strip_stamps
from codeout.markdown.page import CURRENT, PageConversion
from codeout.markdown.page_blocks import TOKEN, ConvertedPage
from codeout.markdown.site import Site
from codeout.markdown.snippets import describe_missing, find_preprocessor, find_processor
from codeout.markdown.sources import Sources
from codeout.model.outputs import Run
from codeout.render.html import page_assets
from codeout.render.overview import placeholder_notice, sentence

Convert = Callable[[str], str]
SLOT = f'<div data-header="{TOKEN}"></div>'
"""Stands for what is said of a page, until it has been converted."""
IGNORED = (
    "nothing runs this block: add `- pymdownx.superfences` to `markdown_extensions`, and `- markdown-exec` to "
    "`plugins`, or its formatter to the `custom_fences` of superfences"
)


class FenceError(SuperFencesException, CodeoutError):
    """A mistake found while a fence is formatted; superfences lets no other exception through."""


def convert_page(site: Site, md: Markdown, convert: Convert, source: str) -> str:
    """Convert Markdown: a page, or a part of the page that is being converted.

    Raises:
        CodeoutError: the page has a mistake, and its host does not show it otherwise.
    """
    if CURRENT.get() is not None:
        return convert(source)
    page = _begin(site, md, source)
    token = CURRENT.set(page)
    try:
        html = page.finish(_insert_slot(page, _convert(page, convert, source)))
        html = _insert_assets(page, html)
        converted = page.result()
        site.host.take_page(converted)
        return html.replace(SLOT, _page_header(site, converted), 1) if SLOT in html else html
    except CodeoutError as problem:
        return site.host.handle_error(problem)
    finally:
        CURRENT.reset(token)
        site.resolver.end_page()


def _begin(site: Site, md: Markdown, source: str) -> PageConversion:
    announced = site.announced
    path, suffix = announced.path if announced else "page", ""
    text = announced.text if announced else strip_stamps(source)
    if announced is None and site.host.is_announcing:  # part of another page, like an excerpt in a blog's index
        file: Any = getattr(find_processor(md.treeprocessors, "relpath"), "file", None)  # of MkDocs
        path = site.host.path_of(file) if file else path
        suffix = f"-{hashlib.sha256(path.encode()).hexdigest()[:6]}"
    folders = [Path(announced.folder)] if announced and announced.folder else []
    sources = Sources.from_config(site.config, find_preprocessor(md), page=path, text=text, folders=folders)
    skips = announced is not None and announced.skips
    return PageConversion(site=site, md=md, path=path, sources=sources, suffix=suffix, skips=skips)


def _convert(page: PageConversion, convert: Convert, source: str) -> str:
    if not page.site.host.is_announcing:
        # Whoever announces pages has stamped their blocks before anything changed the text.
        text = page.sources.text
        source = stamp(source, page.path, text.count("\n") - source.count("\n") if text.endswith(source) else 0)
    fences, lines = find_fences(source), source.split("\n")
    for fence in fences:
        if mistake := find_mistake(fence):
            raise PageError(f"{read_stamp(fence.stamp) or _place_of(page, lines[fence.line - 1])}: {mistake}")
    try:
        html = convert(source)
    except SnippetMissingError as problem:
        raise PageError(_missing_snippet(page.sources, problem)) from problem
    if not page.blocks and not _hands_on_fences(page.md):
        for fence in fences:
            if fence.is_executed:
                raise PageError(f"{_place_of(page, strip_stamps(lines[fence.line - 1]))}: {IGNORED}")
    return html


def _hands_on_fences(md: Markdown) -> bool:
    return any(
        fence.get("format") is formatter
        for extension in md.registeredExtensions
        if isinstance(extension, SuperFencesCodeExtension)
        for fence in extension.getConfig("custom_fences") or ()
    )


def _place_of(page: PageConversion, line: str) -> str:
    lines = page.sources.text.split("\n")
    return f"{page.path}:{lines.index(line) + 1 if line in lines else 1}"


def _missing_snippet(sources: Sources, problem: SnippetMissingError) -> str:
    lines = sources.text.split("\n")
    number = next((n for n, line in enumerate(lines, start=1) if _is_missing(sources, line)), 1)
    available = describe_missing(sources.snippets, lines[number - 1]) if sources.snippets else ""
    return f"{sources.page}:{number}: {problem}{available}"


def _is_missing(sources: Sources, line: str) -> bool:
    try:
        if sources.snippets and "8<" in line:
            sources.snippets.run([line])
    except SnippetMissingError:
        return True
    return False


def _insert_assets(page: PageConversion, html: str) -> str:
    """Insert the style of outputs above all of them: pictures that it hides must not load before it is read."""
    shown = page.blocks.shown
    before, heading, after = html.partition("</h1>")
    # Unless its host announces pages, Markdown without a title may be no page at all; it has only what sweeps need.
    has_outputs = bool(shown) and (bool(heading) or page.site.host.is_announcing)
    assets = page_assets(has_outputs=has_outputs, has_sweeps=any(block.block.sweep for block in shown))
    return f"{before}{heading}{assets}{after}" if heading else f"{assets}{html}"


def _insert_slot(page: PageConversion, html: str) -> str:
    """Insert the place of what is said of the page: under its own title, or at its top if the theme adds the title."""
    # An excerpt has none. Nor has Markdown without a title, where it is not known whether that is a page at all.
    if page.suffix or not page.blocks:
        return html
    before, heading, after = html.partition("</h1>")
    if heading:
        return f"{before}{heading}\n{SLOT}{after}"
    return f"{SLOT}\n{html}" if page.site.host.is_announcing else html


def _page_header(site: Site, page: ConvertedPage) -> str:
    if not page.blocks or "sentence" not in site.config.page_notes:
        return ""
    links, states = site.host.header_links(page), [block.state for block in page.blocks]
    recordings = [run for state in states for run in state.recordings]
    if not site.resolver.is_live:
        return _sentence(page.runs, recordings, links)

    def render() -> str:
        runs = [site.resolver.run_now(state.name) or state.run for state in states]
        return _sentence([run for run in runs if run], recordings, links) if all(runs) else ""

    key = digest([state.key for state in states])[:16]
    attributes = site.live.add_dependent(f"{page.path} summary", key, [state.name for state in states], render)
    return f"<div {attributes}>{render()}</div>"


def _sentence(runs: Sequence[Run], recordings: Sequence[Run], links: Sequence[str]) -> str:
    words = " · ".join([escape(sentence(runs, recordings)), *links])
    notice = placeholder_notice(runs)
    warning = f'<p class="codeout-placeholder">{escape(notice)}</p>' if notice else ""
    return f'<p class="codeout-sentence" data-search-exclude>{words}</p>{warning}'
