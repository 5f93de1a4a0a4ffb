"""The conversion of one page: fences are registered, and filled in when the conversion is over.

A page spans every conversion that happens while it converts: docstrings, fences in executed Markdown, Markdown that a
block printed or returned.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from html import escape
from typing import Any

import msgspec
from markdown import Markdown

from codeout.errors import PageError
from codeout.markdown.annotations import LIST_SLOT
from codeout.markdown.converted_page import ConvertedPage
from codeout.markdown.layout import BlockLayout, has_tabs, next_number
from codeout.markdown.options import read_block
from codeout.markdown.page_blocks import PageBlocks
from codeout.markdown.placeholders import PARTS, PARTS_WITH_VALUES, PLACEHOLDER, TOKEN, RegisteredBlock
from codeout.markdown.prompts import split_prompts
from codeout.markdown.site import Site
from codeout.markdown.sources import Sources
from codeout.markdown.values import MARK, START, Reference, ValueFiller, mark_number
from codeout.model.blocks import Block, Session, group_sessions
from codeout.run.engine import BlockState

CURRENT: ContextVar[PageConversion | None] = ContextVar("codeout-page", default=None)
"""The page that is being converted."""


class PageConversion(msgspec.Struct):
    """The blocks and values of a page while it converts."""

    site: Site
    """What the pages of the site share."""
    md: Markdown
    """What converts the page."""
    path: str
    """The path of the page."""
    sources: Sources
    """The files that the page is made of."""
    suffix: str = ""
    """What ids end with, where the page may be part of another, like an excerpt in a blog's index."""
    text: str = ""
    """The Markdown, with everything that it includes."""
    skips: bool = False
    """Whether its blocks do not run."""
    blocks: PageBlocks = msgspec.field(default_factory=PageBlocks)
    """The blocks so far."""
    references: list[Reference] = msgspec.field(default_factory=list)
    """The values that the text names so far."""
    states: dict[int, BlockState] = msgspec.field(default_factory=dict)
    """The state of each block, by its position."""
    _printing: Block | None = None  # the block whose Markdown is being converted

    # ------------------------------------------------------------------------------------------- while it converts

    def register(self, arguments: Mapping[str, Any]) -> str:
        """Return the HTML of a fence for now: a placeholder, or content of the page.

        Raises:
            CodeoutError: an option is invalid, or a block whose output is content of the page failed.
        """
        code = arguments["code"]
        printed_by, documented = self._printing.place if self._printing else None, _documented_object(arguments["md"])
        location = self.sources.locate(code, printed_by, documented)
        if arguments["language"] == "pycon":
            code = split_prompts(code)[0]
        try:
            block = read_block(code, arguments, location)
        except PageError:
            if location.is_commented:
                return ""
            raise
        if not has_tabs(arguments["md"], arguments):
            raise PageError(f"{block}: tabs need `- pymdownx.tabbed: {{alternate_style: true}}` in markdown_extensions")
        notes = self.site.config.page_notes
        layout = BlockLayout(block, arguments, self.site.layouts, self.expand, next_number(), notes)
        if (self.skips or arguments["extra"].get("skip") == "true") and not location.is_commented:
            return layout.source()
        registered = self.blocks.add(
            block, layout, self.suffix, is_commented=location.is_commented, is_in_docstring=bool(documented)
        )
        is_content = layout.is_bare and not location.is_commented
        return self._content_now(registered) if is_content else registered.placeholder

    def _content_now(self, registered: RegisteredBlock) -> str:
        """Return the HTML of a block without source: what it printed, as Markdown, is part of the page.

        Raises:
            CodeoutError: the block failed.
        """
        registered.is_on_page = True
        above = [each for each in self.blocks.registered if not each.is_commented]
        sessions = group_sessions([each.block for each in above])
        self._take_states([each for each in sessions if len(above) - 1 in each.numbers], above)
        state = self.states[registered.number]
        if state.run is None or not registered.layout.is_content(state.run):
            return registered.placeholder
        outer, self._printing = self._printing, registered.block
        try:
            html = self._live(registered, state, registered.layout.content(state.run))
        finally:
            self._printing = outer
        self.blocks.content[html] = registered.number
        return html

    def add_reference(self, reference: Reference) -> int:
        """Register a reference to a value; return its number."""
        self.references.append(reference)
        return len(self.references) - 1

    # ---------------------------------------------------------------------------------------- when it has converted

    def finish(self, html: str) -> str:
        """Return the HTML of the page with all outputs and values.

        Raises:
            CodeoutError: a block did what the page does not expect, a value is undefined, or a list of annotations
                does not fit its block.
        """
        self.blocks.note_shown(html)
        self.blocks.check_annotations()
        self.blocks.make_ids_unique(html)
        html = self.expand(html)
        _fill_toc(getattr(self.md, "toc_tokens", []), self.fill_text)
        if START in (contents := getattr(self.md, "toc", "")):
            self.md.toc = self.expand(contents)  # type: ignore[attr-defined]
        return html

    def result(self) -> ConvertedPage:
        """Return what the conversion leaves behind."""
        on_page = self.blocks.on_page
        states = tuple(self.states[each.number] for each in on_page)
        blocks, ids = tuple(each.block for each in on_page), tuple(each.block_id for each in on_page)
        return ConvertedPage(self.path, self.text, blocks, states, ids, self.fill_text)

    def expand(self, html: str) -> str:
        """Return HTML of the page's own, with the blocks and values in it."""
        has_values = START in html
        if not has_values and TOKEN not in html:
            return html
        self._resolve(html)
        return (PARTS_WITH_VALUES if has_values else PARTS).sub(self._replacement, html)

    def restore(self, text: str) -> str:
        """Return text with its marks as the author wrote them."""
        if START not in text:
            return text
        return MARK.sub(lambda match: self.references[mark_number(match[0])].literal, text)

    def _restore_html(self, html: str) -> str:
        return MARK.sub(lambda match: escape(self.references[mark_number(match[0])].literal), html)

    def fill_text(self, text: str) -> str:
        """Return plain text with the values that its marks stand for."""
        if START not in text:
            return text

        def value(match: re.Match[str]) -> str:
            reference = self.references[mark_number(match[0])]
            return self._values.text(reference, self.blocks.count_above(reference))

        return MARK.sub(value, text)

    def states_in_order(self) -> list[BlockState | None]:
        """Return the state of each registered block; None for one that the page does not show."""
        return [self.states.get(each.number) if each.is_on_page else None for each in self.blocks.registered]

    def _resolve(self, html: str) -> None:
        """Get the states of the blocks that the page shows, with those whose placeholders are in this part of it."""
        self.blocks.note_shown(html)
        on_page = self.blocks.on_page
        sessions = group_sessions([each.block for each in on_page])
        is_missing = [on_page[position].number not in self.states for position in range(len(on_page))]
        self._take_states([each for each in sessions if any(is_missing[n] for n in each.numbers)], on_page)

    def _take_states(self, sessions: Sequence[Session], registered: Sequence[RegisteredBlock]) -> None:
        """Get the states of sessions; their numbers are positions among `registered`."""
        states = self.site.resolver.states(sessions, self.md) if sessions else {}
        for session in sessions:
            for position, name in zip(session.numbers, session.block_names, strict=True):
                self.states[registered[position].number] = states[name]

    def _replacement(self, match: re.Match[str]) -> str:
        parts = match.groupdict()
        if parts["fence"]:
            registered = self.blocks.registered[int(parts["fence"])]
            self.blocks.filled.add(registered.number)
            html = self._show(registered)
            if parts["before"] and not self.md.is_block_level(_first_tag(html)):
                html = f"<p>{html}</p>"
            return html.replace(LIST_SLOT, self.expand(parts["notes"]), 1) if parts["notes"] else html
        if parts.get("mark"):
            reference = self.references[mark_number(match[0])]
            return self._values.html(reference, self.blocks.count_above(reference))
        if parts["comment"]:
            return self._restore_html(PLACEHOLDER.sub("", match[0]))
        return self._restore_html(
            PLACEHOLDER.sub(lambda inner: self._show(self.blocks.registered[int(inner["fence"])]), match[0])
        )

    def _show(self, registered: RegisteredBlock) -> str:
        state = self.states[registered.number]
        return self._live(registered, state, self.site.move_data_out(self._render(registered, state)))

    def _render(self, registered: RegisteredBlock, state: BlockState) -> str:
        """Return the HTML of a block in a state; a live server calls this long after the conversion.

        Raises:
            PageError: an output is not what its type says.
        """
        token = CURRENT.set(self)
        try:
            return registered.layout.html(state, registered.block_id)
        except (ValueError, SyntaxError) as problem:
            raise PageError(f"{registered.block}: cannot be shown: {type(problem).__name__}: {problem}") from problem
        finally:
            CURRENT.reset(token)

    def _live(self, registered: RegisteredBlock, state: BlockState, html: str) -> str:
        """Return HTML that a live server can update, if there is one."""
        if not self.site.resolver.is_live:
            return html
        self.site.renderers[state.name] = partial(self._render, registered)
        return f'<div data-codeout="{escape(state.name)}" data-key="{state.key}">{html}</div>'

    @property
    def _values(self) -> ValueFiller:
        return ValueFiller(self.site, self.sources, self.states_in_order)


def _first_tag(html: str) -> str:
    """Return the name of the element that HTML begins with; empty if it begins with text."""
    match = re.match(r"\s*<([a-zA-Z][\w-]*)", html)
    return match[1].lower() if match else ""


def _documented_object(md: Markdown) -> str:
    """Return the dotted path of the object whose docstring a Markdown instance of mkdocstrings converts."""
    processor = md.treeprocessors["mkdocstrings_ids"] if "mkdocstrings_ids" in md.treeprocessors else None  # noqa: SIM401
    return str(getattr(processor, "id_prefix", "")).removesuffix("--")


def _fill_toc(tokens: Sequence[dict[str, Any]], fill: Callable[[str], str]) -> None:
    for token in tokens:
        for key in ("name", "html", "data-toc-label"):
            if isinstance(token.get(key), str):
                token[key] = fill(token[key])
        _fill_toc(token.get("children", []), fill)
