"""Values in running text: `{name}` is marked while a page converts, and filled in when its blocks have run.

A mark is made of noncharacters of Unicode, which no text contains and no slug keeps, so that it survives every
conversion and a value in a heading does not change the heading's id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from html import escape
from xml.etree.ElementTree import Element

import msgspec
from markdown import Markdown
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE

from codeout.errors import PageError, log, suggest
from codeout.markdown.site import Site
from codeout.markdown.sources import Sources
from codeout.model import prose
from codeout.model.blocks import Place
from codeout.model.outputs import Provenance, Run
from codeout.render.values import render_value
from codeout.run.engine import BlockState

START, END, ZERO = "\ufdd0", "\ufdd1", 0xFDD2  # sixteen digits follow
MARK = re.compile(f"{START}([\ufdd2-\ufde1]+){END}")
SKIPPED = re.compile(
    r"(?s)\\."  # an escaped character
    r"|(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)"  # code in running text
)
MATH = re.compile(r"(?s)\$\$.*?\$\$|\$[^\s$](?:[^$\n]*[^\s$\\])?\$|\\\(.*?\\\)|\\\[.*?\\\]")


class Reference(msgspec.Struct, frozen=True):
    """A `{name}` in the text of a page."""

    literal: str
    """As the author wrote it."""
    name: str
    """The variable."""
    spec: str
    """Python's format specification, or nothing."""
    above: int | None
    """How many of the page's blocks precede it in its source; None in a docstring without any."""


class Marker(Preprocessor):
    """Marks the references of a text, right after its fences have become placeholders."""

    def __init__(
        self, md: Markdown, add: Callable[[Reference], int], count_blocks: Callable[[str], int | None], is_nested: bool
    ) -> None:
        """Take what registers a reference and returns its number, and what counts the blocks down to stashed HTML."""
        super().__init__(md)
        self._add, self._count_blocks, self._is_nested = add, count_blocks, is_nested

    def run(self, lines: list[str]) -> list[str]:
        """Return the lines with their references marked."""
        text = "\n".join(lines)
        if not prose.REFERENCE.search(text):
            return lines
        skipped = [match.span() for pattern in self._skipped() for match in pattern.finditer(text)]
        above = None if self._is_nested else 0
        parts, position = [], 0
        for match in re.finditer(f"{HTML_PLACEHOLDER_RE.pattern}|{prose.REFERENCE.pattern}", text):
            if match["name"] is None:
                counted = self._count_blocks(str(self.md.htmlStash.rawHtmlBlocks[int(match[1])]))
                above = above if counted is None else counted
            elif not any(start <= match.start() < end for start, end in skipped):
                number = self._add(Reference(match[0], match["name"], (match["format"] or "")[1:], above))
                parts += [text[position : match.start()], _mark(number)]
                position = match.end()
        return "".join([*parts, text[position:]]).split("\n")

    def _skipped(self) -> Sequence[re.Pattern[str]]:
        return (SKIPPED, MATH) if "arithmatex-inline" in self.md.inlinePatterns else (SKIPPED,)


class CodeRestorer(Treeprocessor):
    """Restores references in indented code, before it is highlighted."""

    def __init__(self, md: Markdown, restore: Callable[[str], str]) -> None:
        """Take what puts the literals back."""
        super().__init__(md)
        self._restore = restore

    def run(self, root: Element) -> None:
        """Go through the code blocks of a page."""
        for block in root.iter("pre"):
            for code in block.iter():
                if code.text and START in code.text:
                    code.text = type(code.text)(self._restore(code.text))


def _mark(number: int) -> str:
    return START + "".join(chr(ZERO + int(digit, 16)) for digit in f"{number:x}") + END


def mark_number(mark: str) -> int:
    """Return the number of the reference that a mark stands for."""
    return int("".join(f"{ord(digit) - ZERO:x}" for digit in mark[1:-1]), 16)


class ValueFiller(msgspec.Struct, frozen=True):
    """Fills in the values of one page."""

    site: Site
    """The site."""
    sources: Sources
    """The files of the page, for places in messages."""
    states: Callable[[], list[BlockState | None]]
    """Returns the state of each block of the page, in reading order; None for one that the page does not show."""

    def text(self, reference: Reference, above: int) -> str:
        """Return a value as plain text, by how many blocks precede it; the literal if it is undefined."""
        value = prose.find_value(reference.name, self._runs(), above)
        return reference.literal if value is None else value.marked(reference.spec)

    def html(self, reference: Reference, above: int) -> str:
        """Return the HTML of a value.

        Args:
            reference: what the text says.
            above: how many blocks precede it.

        Raises:
            PageError: the format is invalid, or the value is undefined and the settings make that an error.
        """
        if self.site.resolver.is_live and any(self.states()):
            return self._live(reference, above)
        return self._filled(reference, above)

    def _filled(self, reference: Reference, above: int) -> str:
        runs = self._runs()
        value = prose.find_value(reference.name, runs, above)
        if value is None:
            return self._undefined(reference, prose.value_names(runs))
        try:
            return render_value(value, reference.spec)
        except ValueError as problem:
            raise self._error(reference, str(problem)) from problem

    def _undefined(self, reference: Reference, names: Sequence[str]) -> str:
        """Return the literal of an undefined value, with a hint in the log if it looks like a mistake."""
        if not any(self.states()) or None in self._present_runs():
            return escape(reference.literal)  # a page without blocks, or one that a command looks at before it has run
        message = f"no block sets {reference.name!r} to a number or a string{suggest(reference.name, names)}"
        if self.site.config.strict_values:
            raise self._error(reference, message)
        if get_close_matches(reference.name, names, n=1):
            log.info("codeout: %s: %s: %s", self._line(reference), reference.literal, message)
        return escape(reference.literal)

    def _live(self, reference: Reference, above: int) -> str:
        """Return a value that a live page updates when the block that it follows has run."""
        states = self.states()
        shown = [state for state in states if state]
        anchor = next((state for state in reversed(states[:above]) if state), shown[-1])
        name = f"{anchor.name} {reference.literal}"
        attributes = self.site.add_dependent(name, anchor.key, [anchor.name], lambda: self._now(reference, above))
        stale = "" if anchor.run else " codeout-stale"
        return f'<span class="codeout-value-slot{stale}" {attributes}>{self._now(reference, above)}</span>'

    def _now(self, reference: Reference, above: int) -> str:
        """Return the HTML of a value as far as it is known."""
        is_complete = all(run is not None for run in self._present_runs())
        try:
            if prose.find_value(reference.name, self._runs(), above) is None and not is_complete:
                return "…"  # the block that defines it may not have run yet
            return self._filled(reference, above)
        except PageError as problem:
            return escape(f"{reference.literal} ({problem})")

    def _runs(self) -> list[Run]:
        """Return a run for each block: the present one, the last successful one, or one without outputs."""
        states = self.states()
        return [
            run or (state and state.last_good) or NO_RUN
            for run, state in zip(self._present_runs(), states, strict=True)
        ]

    def _present_runs(self) -> list[Run | None]:
        now = self.site.resolver.run_now
        return [(now(state.name) or state.run) if state else NO_RUN for state in self.states()]

    def _line(self, reference: Reference) -> Place:
        lines = self.sources.text.split("\n")
        return Place(self.sources.page, next((n for n, line in enumerate(lines, 1) if reference.literal in line), 1))

    def _error(self, reference: Reference, message: str) -> PageError:
        return PageError(f"{self._line(reference)}: {reference.literal}: {message}; write \\{{ for a literal brace")


NO_RUN = Run((), Provenance("", "", (), 0.0, "", ()))
"""Stands for the run of a block that has never run."""
