"""Values in running text: `{name}` is marked while a page converts, and filled in when its blocks have run.

A mark is made of noncharacters of Unicode, which no text contains and no slug keeps, so that it survives every
conversion and a value in a heading does not change the heading's id.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from html import escape
from typing import cast
from xml.etree.ElementTree import Element

import msgspec
from markdown import Markdown
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE

from codeout.errors import PageError, log, suggest
from codeout.markdown.fences import STAMP_OPTION
from codeout.markdown.page_blocks import PageBlock, PageBlocks
from codeout.markdown.site import Site
from codeout.markdown.sources import Sources
from codeout.model import prose
from codeout.model.blocks import Place
from codeout.model.outputs import Provenance, Run
from codeout.render.html import render_value

START, END, ZERO = "\ufdd0", "\ufdd1", 0xFDD2  # sixteen digits follow
MARK = re.compile(f"{START}([\ufdd2-\ufde1]+){END}")
SKIPPED = re.compile(
    r"(?s)\\."  # an escaped character
    r"|(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)"  # code in running text
)
MATH = re.compile(r"(?s)\$\$.*?\$\$|\$[^\s$](?:[^$\n]*[^\s$\\])?\$|\\\(.*?\\\)|\\\[.*?\\\]")


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A `{name}` in the text of a page."""

    literal: str
    name: str
    spec: str
    """Python's format specification, or nothing."""
    above: PageBlock | None
    """The last block above it in the text that was converted; None if there is none."""
    is_nested: bool
    """Whether that text is only a part of the page, like a docstring."""


def mark_values(
    md: Markdown,
    lines: list[str],
    *,
    add: Callable[[Reference], int],
    last_in: Callable[[str], PageBlock | None],
    is_nested: bool,
) -> list[str]:
    """Return the lines of a text with its references marked, right after its fences have become placeholders."""
    text, above = "\n".join(lines), cast("PageBlock | None", None)
    if not prose.REFERENCE.search(text):
        return lines
    patterns = (SKIPPED, MATH) if "arithmatex-inline" in md.inlinePatterns else (SKIPPED,)
    skipped = [match.span() for pattern in patterns for match in pattern.finditer(text)]

    def replace(match: re.Match[str]) -> str:
        nonlocal above
        if match["name"] is None:
            above = last_in(str(md.htmlStash.rawHtmlBlocks[int(match[1])])) or above
        elif not any(start <= match.start() < end for start, end in skipped):
            literal, name, spec = match[0], match["name"], (match["format"] or "")[1:]
            number = add(Reference(literal=literal, name=name, spec=spec, above=above, is_nested=is_nested))
            return START + "".join(chr(ZERO + int(digit, 16)) for digit in f"{number:x}") + END
        return match[0]

    return re.sub(f"{HTML_PLACEHOLDER_RE.pattern}|{prose.REFERENCE.pattern}", replace, text).split("\n")


class CodeRestorer(Treeprocessor):
    """Restores references, and removes stamps, in indented code, before it is highlighted."""

    def __init__(self, md: Markdown, restore: Callable[[str], str]) -> None:
        super().__init__(md)
        self._restore = restore

    def run(self, root: Element) -> None:
        """Go through the code blocks of a page."""
        for block in root.iter("pre"):
            for code in block.iter():
                if code.text and (START in code.text or STAMP_OPTION in code.text):
                    code.text = type(code.text)(self._restore(code.text))


def mark_number(mark: str) -> int:
    """Return the number of the reference that a mark stands for."""
    return int("".join(f"{ord(digit) - ZERO:x}" for digit in mark[1:-1]), 16)


class ValueFiller(msgspec.Struct, frozen=True):
    """Fills in the values of one page."""

    site: Site
    sources: Sources
    """The files of the page, for places in messages."""
    blocks: PageBlocks

    def text(self, reference: Reference) -> str:
        """Return a value as plain text; the literal if it is undefined."""
        value = self._find(reference, self._last_above(reference))
        return reference.literal if value is None else value.marked(reference.spec)

    def html(self, reference: Reference) -> str:
        """Return the HTML of a value.

        Raises:
            PageError: the format is invalid, or the value is undefined and the settings make that an error.
        """
        is_live = self.site.resolver.is_live and self.blocks.shown
        return (self._live if is_live else self._filled)(reference, self._last_above(reference))

    def _last_above(self, reference: Reference) -> PageBlock | None:
        return self.blocks.last_above(reference.above, is_nested=reference.is_nested)

    def _find(self, reference: Reference, last: PageBlock | None) -> prose.PageValue | None:
        above, below = (list(map(self._last_run, blocks)) for blocks in self.blocks.split(last))
        return prose.find_value(reference.name, above, below)

    def _filled(self, reference: Reference, last: PageBlock | None) -> str:
        value = self._find(reference, last)
        if value is None:
            return self._undefined(reference)
        try:
            return render_value(value, reference.spec)
        except ValueError as problem:
            raise self._error(reference, str(problem)) from problem

    def _undefined(self, reference: Reference) -> str:
        if not self.blocks.shown or not self._is_complete():
            return escape(reference.literal)  # a page without blocks, or one that a command looks at before it has run
        names = sorted({name for block in self.blocks.shown for name in self._last_run(block).values})
        message = f"no block sets {reference.name!r} to a number or a string{suggest(reference.name, names)}"
        if self.site.config.strict_values:
            raise self._error(reference, message)
        if get_close_matches(reference.name, names, n=1):
            log.info("codeout: %s: %s: %s", self._line(reference), reference.literal, message)
        return escape(reference.literal)

    def _live(self, reference: Reference, last: PageBlock | None) -> str:
        above, below = self.blocks.split(last)
        anchor = (above or below)[-1].state
        name = f"{anchor.name} {reference.literal}"
        attributes = self.site.live.add_dependent(name, anchor.key, [anchor.name], lambda: self._now(reference, last))
        stale = "" if anchor.run else " codeout-stale"
        return f'<span class="codeout-value-slot{stale}" {attributes}>{self._now(reference, last)}</span>'

    def _now(self, reference: Reference, last: PageBlock | None) -> str:
        try:
            if self._find(reference, last) is None and not self._is_complete():
                return "…"  # the block that defines it may not have run yet
            return self._filled(reference, last)
        except PageError as problem:
            return escape(f"{reference.literal} ({problem})")

    def _is_complete(self) -> bool:
        return all(map(self._run_of, self.blocks.shown))

    def _run_of(self, block: PageBlock) -> Run | None:
        return self.site.resolver.run_now(block.state.name) or block.state.run

    def _last_run(self, block: PageBlock) -> Run:
        return self._run_of(block) or block.state.last_good or NO_RUN

    def _line(self, reference: Reference) -> Place:
        above, literal, _ = self.sources.text.partition(reference.literal)
        return Place(self.sources.page, above.count("\n") + 1 if literal else 1)

    def _error(self, reference: Reference, message: str) -> PageError:
        return PageError(f"{self._line(reference)}: {reference.literal}: {message}; write \\{{ for a literal brace")


NO_RUN = Run(outputs=(), provenance=Provenance(device="", python="", packages=(), seconds=0.0, date="", sources=()))
"""Stands for the run of a block that has never run."""
