"""The executable blocks of a page, and the sessions that they form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from codeout.model.source import same_program

MARK = re.compile(r"# \((\d+)\)!$", re.MULTILINE)  # of a note to a line, as in Material for MkDocs


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; `str()` of it is what a terminal makes clickable."""

    path: str
    line: int  # 1-based

    def __str__(self) -> str:
        """Return `path:line`."""
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Block:
    """One executable fence of a page."""

    place: Place  # of the fence
    session: str  # blocks of a page with the same session share a namespace
    code: str
    origin: Place  # of the first line of `code`: in the snippet, or in the page
    raises: str = ""  # the exception that the page expects
    timeout: float | None = None  # seconds
    width: int = 0  # columns of the terminal that the block sees
    workdir: str = ""
    section: str = ""  # of the snippet that is its code
    measured: bool = False  # its output is measured, and never the same twice
    shown: bool = True  # its code is on the page, too, and not its output alone

    def __str__(self) -> str:
        """Return where the block is, and where its code is if that is elsewhere."""
        same = self.origin.path == self.place.path
        return f"{self.place}" if same else f"{self.place} ({self.origin})"

    @property
    def executable_code(self) -> str:
        """Its code as it runs: each line is there, and no mark of a note. So a note that comes or goes runs nothing."""
        return _unmarked(self.code)

    @property
    def marks(self) -> list[int]:
        """The numbers of the notes that its code marks, in order."""
        return [int(number) for number in MARK.findall(self.code)] if self.executable_code != self.code else []

    def matches(self, patterns: Iterable[str]) -> bool:
        """Return whether its session is one of those that the patterns of a setting name."""
        return any(fnmatchcase(self.session, pattern) for pattern in patterns)

    def line(self, number: int | None) -> str:
        """Return where line `number` of the origin's file is, in words for a message."""
        if number is None:
            return str(self)
        if self.origin.path == self.place.path:
            return f"{self.place.path}:{number}"
        return f"{self.place} ({self.origin.path}:{number})"


@cache
def _unmarked(code: str) -> str:
    without = re.sub(rf"[ \t]*{MARK.pattern}", "", code, flags=re.MULTILINE)
    # Only a string of many lines can hold what looks like one; to read Python takes longer than all the rest.
    sure = '"""' not in code and "'''" not in code
    return without if sure or without == code or same_program(without, code) else code


def sessions(blocks: Iterable[Block]) -> list[tuple[Block, ...]]:
    """Return the blocks of a page by session, in page order; a block without a session is one by itself."""
    order: dict[str, list[Block]] = {}
    for number, block in enumerate(blocks):
        order.setdefault(block.session or f"#{number}", []).append(block)
    return [tuple(session) for session in order.values()]


def session_name(session: Sequence[Block]) -> str:
    """Return what a session is called: its page and its own name, or the place of its only block."""
    first = session[0]
    return f"{first.place.path} {first.session}" if first.session else str(first.place)


def block_name(session: Sequence[Block], number: int) -> str:
    """Return what names a block from one edit to the next: its page, its session, and its place in it."""
    return f"{session_name(session)} {number}"


def anchors(blocks: Sequence[Block]) -> list[str]:
    """Return an id in the page for each of its blocks: of its section, so that a link to it lasts, else its number."""
    sections = Counter(block.section for block in blocks)
    return [
        f"out-{block.section}" if block.section and sections[block.section] == 1 else f"out-{number}"
        for number, block in enumerate(blocks, start=1)
    ]


def by_page(blocks: Sequence[Block]) -> list[list[Block]]:
    """Return the blocks of many pages, a list a page."""
    pages: dict[str, list[Block]] = {}
    for block in blocks:
        pages.setdefault(block.place.path, []).append(block)
    return list(pages.values())
