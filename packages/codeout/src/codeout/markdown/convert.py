"""A conversion from its beginning to its end: which page it is, what is inserted, and what its mistakes become."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markdown import Markdown
from pymdownx.snippets import SnippetMissingError, SnippetPreprocessor
from pymdownx.superfences import SuperFencesException

from codeout.errors import CodeoutError, PageError
from codeout.markdown import snippets
from codeout.markdown.fences import IGNORED, find_executed, find_mistakes, hands_on_fences
from codeout.markdown.page import CURRENT, PageConversion
from codeout.markdown.placeholders import TOKEN
from codeout.markdown.site import Site
from codeout.markdown.sources import Sources
from codeout.render.assets import page_assets

Convert = Callable[[str], str]
SLOT = f'<div data-header="{TOKEN}"></div>'
"""Stands for what is said of a page, until it has been converted."""


class FenceError(SuperFencesException, CodeoutError):
    """A mistake found while a fence is formatted; superfences lets no other exception through."""


def convert_page(site: Site, md: Markdown, convert: Convert, source: str) -> str:
    """Convert Markdown: a page, or a part of the page that is being converted.

    Raises:
        CodeoutError: the page has a mistake, and no plugin shows it otherwise.
    """
    if CURRENT.get() is not None:
        return convert(source)
    page = _begin(site, md, source)
    page.skips = site.announced is not None and site.announced.skips
    token = CURRENT.set(page)
    try:
        html = page.finish(_insert_slot(page, _convert(page, convert, source)))
        html = _insert_assets(page, html)
        converted = page.result()
        site.on_page(converted)
        return html.replace(SLOT, site.header(site, converted), 1) if SLOT in html else html
    except CodeoutError as problem:
        return site.on_error(problem)
    finally:
        CURRENT.reset(token)
        site.resolver.end_page()


def _begin(site: Site, md: Markdown, source: str) -> PageConversion:
    announced = site.announced
    path, suffix = announced.path if announced else "page", ""
    text = announced.text if announced else source
    if announced is None and site.is_announcing:  # part of another page, like an excerpt in a blog's index
        file = _converted_file(md)
        path = site.path_of(file) if file else path
        suffix = f"-{hashlib.sha256(path.encode()).hexdigest()[:6]}"
    preprocessor = md.preprocessors["snippet"] if "snippet" in md.preprocessors else None  # noqa: SIM401 (not a dict)
    finder = preprocessor if isinstance(preprocessor, SnippetPreprocessor) else None
    root = site.config.root.resolve()
    folders = [Path(announced.folder)] if announced and announced.folder else []
    folders += [root, root / site.config.docs_dir, *(Path(folder) for folder in getattr(finder, "base_path", ()))]
    sources = Sources(path, text, root, folders, finder, site.config.section_checks)
    return PageConversion(site, md, path, sources, suffix)


def _convert(page: PageConversion, convert: Convert, source: str) -> str:
    """Convert the page.

    Raises:
        PageError: a snippet is missing, a fence would not run because of a mistake in its first line, or none can.
    """
    lines = source.split("\n") if "```" in source or "~~~" in source else []
    for header, mistake in find_mistakes(lines):
        raise PageError(f"{page.sources.page}:{_line_of(header, page.sources.text)}: {mistake}")
    try:
        html = convert(source)
    except SnippetMissingError as problem:
        raise PageError(_missing_snippet(page.sources, problem)) from problem
    if not page.blocks.registered and not hands_on_fences(page.md):
        for number in find_executed(lines):
            raise PageError(f"{page.sources.page}:{_line_of(lines[number - 1], page.sources.text)}: {IGNORED}")
    return html


def _line_of(line: str, text: str) -> int:
    """Return the number of a line in a text, from 1; 1 if it is not in it."""
    lines = text.split("\n")
    return lines.index(line) + 1 if line in lines else 1


def _missing_snippet(sources: Sources, problem: SnippetMissingError) -> str:
    lines = sources.text.split("\n")
    number = next((n for n, line in enumerate(lines, start=1) if _is_missing(sources.snippets, line)), 1)
    available = snippets.describe_available(sources.snippets, lines[number - 1]) if sources.snippets else ""
    return f"{sources.page}:{number}: {problem}{available}"


def _is_missing(preprocessor: SnippetPreprocessor | None, line: str) -> bool:
    try:
        if preprocessor and "8<" in line:
            preprocessor.run([line])
    except SnippetMissingError:
        return True
    return False


def _converted_file(md: Markdown) -> Any:
    """Return the file that a Markdown instance of MkDocs converts."""
    processor = md.treeprocessors["relpath"] if "relpath" in md.treeprocessors else None  # noqa: SIM401 (not a dict)
    return getattr(processor, "file", None)


def _insert_assets(page: PageConversion, html: str) -> str:
    """Insert the style of outputs above all of them: pictures that it hides must not load before it is read.

    Without a plugin it is not known whether Markdown without a title is a page at all; it has only what sweeps need.
    """
    blocks = [each.block for each in page.blocks.on_page]
    before, heading, after = html.partition("</h1>")
    has_outputs = bool(blocks) and (bool(heading) or page.site.is_announcing)
    assets = page_assets(has_outputs=has_outputs, has_sweeps=any(block.sweep for block in blocks))
    return f"{before}{heading}{assets}{after}" if heading else f"{assets}{html}"


def _insert_slot(page: PageConversion, html: str) -> str:
    """Insert the place of what is said of the page: under its own title, or at its top if the theme adds the title.

    An excerpt has none. Without a plugin it is not known whether Markdown without a title is a page at all.
    """
    if page.suffix or not page.blocks.registered:
        return html
    before, heading, after = html.partition("</h1>")
    if heading:
        return f"{before}{heading}\n{SLOT}{after}"
    return f"{SLOT}\n{html}" if page.site.is_announcing else html
