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
from codeout.markdown.fences import STAMP_OPTION, Fence, find_fences, read_stamp, rewrite_stamps, strip_stamps
from codeout.markdown.layout import BlockLayout
from codeout.markdown.options import read_block, split_prompts
from codeout.markdown.page_blocks import PLACEHOLDER, TOKEN, ConvertedPage, PageBlock, PageBlocks, sessions_of
from codeout.markdown.site import Site
from codeout.markdown.snippets import find_processor
from codeout.markdown.sources import Sources
from codeout.markdown.values import MARK, START, Reference, ValueFiller, mark_number
from codeout.model.blocks import Session
from codeout.run.engine import BlockState

CURRENT: ContextVar[PageConversion | None] = ContextVar("codeout-page", default=None)
"""The page that is being converted."""
COMMENT = r"(?P<comment><!--.*?-->)"
PARTS = re.compile(rf"{COMMENT}|{PLACEHOLDER.pattern}", re.DOTALL)
"""What matters of the HTML of a page without values."""
PARTS_WITH_VALUES = re.compile(
    rf"{COMMENT}|{PLACEHOLDER.pattern}"
    r"|(?P<raw><(?P<tag>script|style|pre|code|textarea|svg|math)\b.*?</(?P=tag)>|<[a-zA-Z/][^>]*>)"
    rf"|(?P<mark>{MARK.pattern})",
    re.DOTALL,
)


class PageConversion(msgspec.Struct, kw_only=True):
    """The blocks and values of a page while it converts."""

    site: Site
    md: Markdown
    path: str
    sources: Sources
    suffix: str = ""
    """What ids end with, where the page may be part of another, like an excerpt in a blog's index."""
    text: str = ""
    """The Markdown, with everything that it includes."""
    fences: list[Fence] = msgspec.field(default_factory=list)
    """The fences of blocks in the text; a stamp in the text names one of them by its number."""
    skips: bool = False
    blocks: PageBlocks = msgspec.field(default_factory=PageBlocks)
    references: list[Reference] = msgspec.field(default_factory=list)
    """The values that the text names so far."""
    _printing: PageBlock | None = None  # the block whose Markdown is being converted

    def take_text(self, text: str) -> str:
        """Take the text of the page, once all is included; return it with the number of its fence in each stamp."""
        self.text = text
        self.fences = [fence for fence in find_fences(text) if fence.is_block]
        numbers = iter(range(len(self.fences)))
        return rewrite_stamps(text, lambda fence: f"#{next(numbers)}")

    def register(self, arguments: Mapping[str, Any]) -> str:
        """Return the HTML of a fence for now: a placeholder, or content of the page.

        Raises:
            CodeoutError: an option is invalid, or a block whose output is content of the page failed.
        """
        extra = dict(arguments["extra"])
        stamp = extra.pop(STAMP_OPTION, "")
        # A stamp in the text names a fence in it, whose own says where it was before anything was included.
        number = int(stamp[1:]) if stamp.startswith("#") else None
        fence = None if number is None else self.fences[number]
        arguments = {**arguments, "extra": extra}
        code, documented = arguments["code"], _documented_object(arguments["md"])
        printed_by = self._printing.block.place if self._printing else None
        stamped = read_stamp(fence.stamp if fence else stamp)
        location = self.sources.locate(code, stamped=stamped, printed_by=printed_by, documented=documented)
        is_commented = fence is not None and fence.is_commented
        if arguments["language"] == "pycon":
            code = split_prompts(code)[0]
        try:
            block = read_block(code, arguments, location)
        except PageError:
            if is_commented:
                return ""
            raise
        if arguments["source"].startswith("tabbed") and "tabbed" not in arguments["md"].parser.blockprocessors:
            raise PageError(f"{block}: tabs need `- pymdownx.tabbed: {{alternate_style: true}}` in markdown_extensions")
        layout = BlockLayout(
            block=block,
            arguments=arguments,
            layouts=self.site.layouts,
            pictures=self.site.host.pictures(self.site),
            expand=self.expand,
            notes=self.site.config.page_notes,
        )
        if (self.skips or extra.get("skip") == "true") and not is_commented:
            return layout.source()
        in_docstring = bool(documented)
        new = self.blocks.add(
            layout, self.suffix, is_commented=is_commented, fence=number, is_in_docstring=in_docstring
        )
        return self._content_now(new) if layout.is_bare and not is_commented else new.placeholder

    def _content_now(self, block: PageBlock) -> str:
        """Return the HTML of a block without source: what it printed, as Markdown, is part of the page."""
        block.is_shown = True
        above = [other for other in self.blocks.in_order if not other.is_commented]
        self._take_states([(session, blocks) for session, blocks in sessions_of(above) if block in blocks])
        if block.state.run is None or not block.layout.is_content(block.state.run):
            return block.placeholder
        outer, self._printing = self._printing, block
        try:
            html = self._live(block, block.layout.content(block.state.run))
        finally:
            self._printing = outer
        self.blocks.note_content(block, html)
        return html

    def add_reference(self, reference: Reference) -> int:
        """Register a reference to a value; return its number."""
        self.references.append(reference)
        return len(self.references) - 1

    def finish(self, html: str) -> str:
        """Return the HTML of the page with all outputs and values.

        Raises:
            CodeoutError: a block did what the page does not expect, a value is undefined, or a list of annotations
                does not fit its block.
        """
        # A fence that did not become a block, like one in indented code, is shown as its author wrote it.
        html = strip_stamps(html)
        self.blocks.note_shown(html)
        for block in self.blocks.shown:
            block.check_annotations()
        self.blocks.make_ids_unique(html)
        html = self.expand(html)
        _fill_toc(getattr(self.md, "toc_tokens", []), self.fill_title)
        if START in (contents := getattr(self.md, "toc", "")):
            self.md.toc = self.expand(contents)  # type: ignore[attr-defined]
        return html

    def result(self) -> ConvertedPage:
        """Return what the conversion leaves behind."""
        shown, fill = tuple(self.blocks.shown), self.fill_title
        return ConvertedPage(path=self.path, text=self.text, fences=self.fences, blocks=shown, fill_title=fill)

    def expand(self, html: str) -> str:
        """Return HTML of the page's own, with the blocks and values in it."""
        has_values = START in html
        if not has_values and TOKEN not in html:
            return html
        self.blocks.note_shown(html)
        sessions = sessions_of(self.blocks.shown)
        # Only those of which a block has not got its state.
        self._take_states([pair for pair in sessions if not all(block.state.name for block in pair[1])])
        return (PARTS_WITH_VALUES if has_values else PARTS).sub(self._replacement, html)

    def restore(self, text: str) -> str:
        """Return text with its marks as the author wrote them."""
        text = strip_stamps(text)
        return MARK.sub(lambda match: self._reference(match[0]).literal, text) if START in text else text

    def fill_title(self, html: str) -> str:
        """Return the HTML of a title, or of an entry in a table of contents, with its values as text."""
        if START not in html:
            return html
        return MARK.sub(lambda match: escape(self._values.text(self._reference(match[0]))), html)

    def _take_states(self, sessions: Sequence[tuple[Session, Sequence[PageBlock]]]) -> None:
        states = self.site.resolver.states([session for session, _ in sessions], self.md) if sessions else {}
        for session, blocks in sessions:
            for block, name in zip(blocks, session.block_names, strict=True):
                block.state = states[name]

    def _replacement(self, match: re.Match[str]) -> str:
        parts = match.groupdict()
        if parts["ticket"]:
            block = self.blocks.by_ticket(parts["ticket"])
            block.is_filled = True
            html = self._show(block)
            if parts["before"] and not self.md.is_block_level(_first_tag(html)):
                html = f"<p>{html}</p>"
            return html.replace(LIST_SLOT, self.expand(parts["notes"]), 1) if parts["notes"] else html
        if parts.get("mark"):
            return self._values.html(self._reference(match[0]))

        def show(inner: re.Match[str]) -> str:
            return "" if parts["comment"] else self._show(self.blocks.by_ticket(inner["ticket"]))

        html = PLACEHOLDER.sub(show, match[0])
        return MARK.sub(lambda mark: escape(self._reference(mark[0]).literal), html)

    def _show(self, block: PageBlock) -> str:
        return self._live(block, self._render(block, block.state))

    def _render(self, block: PageBlock, state: BlockState) -> str:
        """Return the HTML of a block in a state; a live server calls this long after the conversion."""
        token = CURRENT.set(self)
        try:
            return block.layout.html(state, block.id)
        except (ValueError, SyntaxError) as problem:
            raise PageError(f"{block.block}: cannot be shown: {type(problem).__name__}: {problem}") from problem
        finally:
            CURRENT.reset(token)

    def _live(self, block: PageBlock, html: str) -> str:
        if not self.site.resolver.is_live:
            return html
        self.site.live.renderers[block.state.name] = partial(self._render, block)
        return f'<div data-codeout="{escape(block.state.name)}" data-key="{block.state.key}">{html}</div>'

    def _reference(self, mark: str) -> Reference:
        return self.references[mark_number(mark)]

    @property
    def _values(self) -> ValueFiller:
        return ValueFiller(self.site, self.sources, self.blocks)


def _first_tag(html: str) -> str:
    match = re.match(r"\s*<([a-zA-Z][\w-]*)", html)
    return match[1].lower() if match else ""


def _documented_object(md: Markdown) -> str:
    processor = find_processor(md.treeprocessors, "mkdocstrings_ids")
    return str(getattr(processor, "id_prefix", "")).removesuffix("--")


def _fill_toc(tokens: Sequence[dict[str, Any]], fill: Callable[[str], str]) -> None:
    """Fill values into the table of contents, which generators write into pages as it is."""
    for token in tokens:
        for key in ("name", "html", "data-toc-label"):
            if isinstance(token.get(key), str):
                token[key] = fill(token[key])
        _fill_toc(token.get("children", []), fill)
