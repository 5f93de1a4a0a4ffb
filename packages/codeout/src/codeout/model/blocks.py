"""The executable blocks of a page, and the sessions that they form."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache

import msgspec

from codeout.model.sweeps import ONCE, Sweep, case_codes

ANNOTATION = re.compile(r"# \((\d+)\)!$", re.MULTILINE)
"""The marker that ties a line of code to an item of the list below it, as in Material for MkDocs."""

HOLE = "\0"
"""Begins what stands in place of a block in the text of a page that is exported; the number of the block follows."""


class Place(msgspec.Struct, frozen=True):
    """A line of a file; `str()` of it is what a terminal makes clickable."""

    path: str
    """Relative to the folder of the site's configuration file where possible."""
    line: int
    """Counted from 1."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One executable fence of a page."""

    place: Place
    """The line of the page where the fence opens, or that includes the file or docstring with the fence."""
    session: str
    """Blocks of a page with the same session share a namespace; an empty name is a session of its own."""
    code: str
    """As the page has it, with the markers of annotations."""
    origin: Place
    """The first line of `code`: in a snippet, an included file, a docstring, or the page."""
    raises: str = ""
    """The exception that the page expects."""
    timeout: float | None = None
    """Seconds; None for the site's default."""
    width: int = 0
    """Columns of the terminal that the block sees; 0 for the default."""
    workdir: str = ""
    """The working directory, relative to the site's folder; empty for the session's own."""
    section: str = ""
    """The name of the snippet section that is the block's code."""
    measured: bool = False
    """Whether the output contains measurements and so differs on every run."""
    shows_source: bool = True
    """Whether the page shows the code, and not only the output."""
    keeps_saved_figures: bool = True
    """Whether a figure that the block saves is shown as well, when it is left open."""
    sweep: Sweep = ONCE
    """The values with which it runs besides those in its code."""
    checks: str = ""
    """Code that runs after it and is not shown: that between its snippet section and the next one."""
    checks_line: int = 0
    """The line of `origin`'s file on which `checks` begins, counted from 1."""

    def __str__(self) -> str:
        return self.locate(None)

    @property
    def page(self) -> str:
        """The path of the page that shows the block."""
        return self.place.path

    @property
    def executable_code(self) -> str:
        """The code without the markers of annotations, line for line, so that adding a marker reruns nothing."""
        return _without_annotations(self.code)

    @property
    def cases(self) -> list[Block]:
        """The block with each combination of swept values but the first, which is that of its code.

        Raises:
            ValueError: its code cannot be changed as its sweep demands.
        """
        codes = case_codes(self.executable_code, self.sweep)[1:]
        return [msgspec.structs.replace(self, code=code, sweep=ONCE) for code in codes]

    @property
    def annotation_numbers(self) -> list[int]:
        """The numbers of the annotations in the code, in order."""
        return [int(number) for number in ANNOTATION.findall(self.code)] if self.executable_code != self.code else []

    def matches(self, patterns: Iterable[str]) -> bool:
        """Return whether a setting's patterns name the block's session."""
        return any(fnmatchcase(self.session, pattern) for pattern in patterns)

    def locate(self, line: int | None) -> str:
        """Return where the block is, and a line of the file that its code comes from, for a message."""
        if self.origin.path != self.place.path:
            return f"{self.place} ({self.origin.path}:{line or self.origin.line})"
        return f"{self.place.path}:{line or self.place.line}"


@cache
def _without_annotations(code: str) -> str:
    bare_code = re.sub(rf"[ \t]*{ANNOTATION.pattern}", "", code, flags=re.MULTILINE)
    # Only a string of many lines can hold what looks like a marker; parsing Python takes longer than all the rest.
    is_certain = '"""' not in code and "'''" not in code
    return bare_code if is_certain or bare_code == code or is_same_program(bare_code, code) else code


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The blocks of a page that share a namespace; one kernel process runs them in order."""

    page: str
    label: str
    """Its name on the page, or `#N` for the N-th block without one."""
    blocks: tuple[Block, ...]
    numbers: tuple[int, ...]
    """The position of each block among all blocks of the page, from 0."""
    identity: str
    """What tells it from the other sessions of the page: its name or, without one, its code and which of its equals it
    is. So a block that is put above an unnamed one does not change that."""

    @property
    def name(self) -> str:
        """The name of the session, unique in the site and stable from one edit to the next."""
        return f"{self.page} {self.label}"

    @property
    def block_names(self) -> list[str]:
        """The names of its blocks, each unique in the site."""
        return [f"{self.name} {number}" for number in range(1, len(self.blocks) + 1)]

    def matches(self, patterns: Iterable[str]) -> bool:
        """Return whether a setting's patterns name the session."""
        return self.blocks[0].matches(patterns)


def group_sessions(blocks: Iterable[Block]) -> list[Session]:
    """Return the sessions of a page, or of many pages, in the order of their first blocks."""
    groups: dict[tuple[str, str], list[tuple[int, Block]]] = {}
    on_page, unnamed, equals = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for block in blocks:
        unnamed[block.page] += not block.session
        label = block.session or f"#{unnamed[block.page]}"
        groups.setdefault((block.page, label), []).append((on_page[block.page], block))
        on_page[block.page] += 1
    sessions = []
    for (page, label), members in groups.items():
        numbers, group = zip(*members, strict=True)
        identity = label
        if not group[0].session:
            code = group[0].executable_code
            equals[page, code] += 1
            identity = f"#{equals[page, code]} {code}"
        sessions.append(Session(page=page, label=label, blocks=group, numbers=numbers, identity=identity))
    return sessions


def select_blocks(blocks: Iterable[Block], patterns: Sequence[str]) -> list[Block]:
    """Return the blocks of the sessions that a setting's patterns name; all blocks if it has none."""
    return [block for block in blocks if not patterns or block.matches(patterns)]


def group_by_page(blocks: Sequence[Block]) -> dict[str, list[Block]]:
    """Return the blocks of many pages by the path of their page."""
    pages: dict[str, list[Block]] = {}
    for block in blocks:
        pages.setdefault(block.page, []).append(block)
    return pages


def block_names(blocks: Sequence[Block]) -> list[str]:
    """Return the name of each block of a page, or of many pages, in their order."""
    names: dict[str, dict[int, str]] = {}
    for session in group_sessions(blocks):
        names.setdefault(session.page, {}).update(zip(session.numbers, session.block_names, strict=True))
    in_order = {page: iter([named[number] for number in sorted(named)]) for page, named in names.items()}
    return [next(in_order[block.page]) for block in blocks]


def is_same_program(one: str, other: str) -> bool:
    """Return whether two pieces of code have the same syntax tree; False if either is not valid Python."""
    try:
        return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except (SyntaxError, ValueError):
        return False
