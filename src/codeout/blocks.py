"""Find the executable blocks of a page, in order, by converting it with a formatter that only records.

A page's text goes through the two preprocessors that turn it into fences, and no further: `pymdownx.snippets`,
which puts in the sections, and `pymdownx.superfences`, which finds the fences and reads their options.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from markdown import Markdown
from markdown_exec import MARKDOWN_EXEC_AUTO, validator
from pymdownx.snippets import SnippetMissingError, SnippetPreprocessor

from codeout import snippets
from codeout.errors import PageError
from codeout.keys import same_program

LANGUAGES = ("python", "py")
OPENING = re.compile(r"^(?P<indent>[> ]*)(?P<fence>`{3,}|~{3,})[ {]*(?:[^`]*[. ])?(?:python|py)\b")
MARK = re.compile(r"# \((\d+)\)!$", re.MULTILINE)  # of a note to a line, as in Material for MkDocs
OURS = ("raises", "timeout", "varies")  # options of a block that markdown-exec does not know
SHOWN = ("hl_lines", "linenums", "title", "title_mode")  # options of a shown block, which it passes on
SOURCES = ("above", "below", "block", "console", "material-block", "tabbed-left", "tabbed-right")
THEIRS = (
    *("exec", "html", "id", "idprefix", "result", "returncode"),
    *("session", "source", "tabs", "updatetoc", "width", "workdir"),
)


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
    varies: bool = False  # its output is measured, and never the same twice
    shown: bool = True  # its code is on the page, too, and not its output alone

    def __str__(self) -> str:
        """Return where the block is, and where its code is if that is elsewhere."""
        same = self.origin.path == self.place.path
        return f"{self.place}" if same else f"{self.place} ({self.origin})"

    @property
    def unmarked(self) -> str:
        """Its code as it runs: each line is there, and no mark of a note. So a note that comes or goes runs nothing."""
        return _unmarked(self.code)

    @property
    def marks(self) -> list[int]:
        """The numbers of the notes that its code marks, in order."""
        return [int(number) for number in MARK.findall(self.code)] if self.unmarked != self.code else []

    def of(self, patterns: Iterable[str]) -> bool:
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


@dataclass(slots=True)
class Finder:
    """Finds blocks, with the snippet settings of one site."""

    snippets: SnippetPreprocessor | None = None
    root: Path = field(default_factory=Path.cwd)  # what the paths in messages are relative to
    languages: tuple[str, ...] = LANGUAGES  # those whose fences the site has markdown-exec run
    _fences: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _markdown: Markdown | None = None

    def find(self, text: str, page: str, offset: int = 0) -> list[Block]:
        """Return the executable blocks of a page.

        Args:
            text: the Markdown of the page.
            page: its path, for messages.
            offset: how many lines of the file stand above `text` (front matter).

        Raises:
            PageError: a section is missing, or an option of a block has no meaning.
        """
        if "exec" not in text and "8<" not in text and not MARKDOWN_EXEC_AUTO[0]:
            return []
        lines = text.split("\n")
        found: list[Block] = []
        raw, next_one = _openings(self._normal(lines)), 0
        for code, options in self._record(self._expanded(lines, page, offset)):
            place, body, at = self._locate(code, raw, next_one, page, offset)
            next_one = next_one if at is None else at + 1
            begins = snippets.begins(self.snippets, body) if self.snippets else None
            found.append(_block(code, options, place, *self._origin(begins, place)))
        return found

    def _record(self, expanded: list[str]) -> list[tuple[str, dict[str, Any]]]:
        self._fences.clear()
        self._converter().preprocessors["fenced_code_block"].run(self._normal(expanded))
        return list(self._fences)

    def _converter(self) -> Markdown:
        """Return a converter that records each executable Python fence, and passes over all others."""
        if self._markdown is None:
            fences = [{"name": "*", "class": "", "validator": _accept, "format": _nothing}]
            fences += [
                {"name": name, "class": "", "validator": validator, "format": self._note} for name in self.languages
            ]
            settings = {"pymdownx.superfences": {"custom_fences": fences}}
            self._markdown = Markdown(extensions=["pymdownx.superfences"], extension_configs=settings)
        return self._markdown

    def _note(self, source: str, language: str, css_class: str, options: dict[str, Any], md: Markdown, **_: Any) -> str:
        self._fences.append((source, options))
        return ""

    def _normal(self, lines: list[str]) -> list[str]:
        """Return lines as Python-Markdown hands them to the fences: tabs are spaces, blank lines are empty."""
        normal: list[str] = self._converter().preprocessors["normalize_whitespace"].run(lines)
        return normal

    def _expanded(self, lines: list[str], page: str, offset: int) -> list[str]:
        """Return lines with their snippets put in.

        Raises:
            PageError: one is not there; it names the line that asks for it.
        """
        try:
            return self._expand(lines)
        except SnippetMissingError as problem:
            line = next((n for n, text in enumerate(lines, start=1) if self._missing(text)), 1)
            choices = snippets.choices(self.snippets, lines[line - 1]) if self.snippets else ""
            raise PageError(f"{Place(page, offset + line)}: {problem}{choices}") from problem

    def _missing(self, line: str) -> bool:
        try:
            self._expand([line])
        except SnippetMissingError:
            return True
        return False

    def _expand(self, lines: list[str]) -> list[str]:
        expanded: list[str] = self.snippets.run(list(lines)) if self.snippets else lines
        return expanded

    def _locate(
        self, code: str, raw: list[tuple[int, list[str]]], start: int, page: str, offset: int
    ) -> tuple[Place, list[str], int | None]:
        """Return where a recorded fence opens, its body as written, and which of the openings from `start` it is."""
        wanted = code.strip()
        for at in range(start, len(raw)):
            line, body = raw[at]
            if "\n".join(self._normal(self._expand(body))).strip().startswith(wanted):
                return Place(page, offset + line), body, at
        return Place(page, offset + 1), [], None  # it came with a snippet, say

    def _origin(self, begins: tuple[Path, int, str] | None, place: Place) -> tuple[Place, str]:
        """Return where the first line of a fence's code stands, in its snippet or the page, and its section."""
        if begins is None:
            return Place(place.path, place.line + 1), ""
        path, line, section = begins
        shown = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        return Place(shown.as_posix(), line), section


def _openings(lines: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Return (1-based line, body) of everything that looks like the fence of a Python block."""
    found = []
    for number, line in enumerate(lines, start=1):
        if match := OPENING.match(line):
            closing = re.compile(rf"^[> ]*{match['fence']} *$")
            end = next((i for i in range(number, len(lines)) if closing.match(lines[i])), len(lines))
            found.append((number, [_dedented(text, match["indent"]) for text in lines[number:end]]))
    return found


def _dedented(line: str, indent: str) -> str:
    return "" if line.strip() == indent.strip() else line.removeprefix(indent)


def _block(code: str, options: dict[str, Any], place: Place, origin: Place, section: str) -> Block:
    extra = options.get("extra", {})
    known = (*THEIRS, *OURS, *SHOWN)
    for name in extra:
        if name not in known and not name.startswith("data-"):
            raise PageError(f"{place}: a block has no option {name!r}, but {', '.join(sorted(known))}")
    timeout = extra.get("timeout")
    if timeout is not None and not (re.fullmatch(r"\d+(\.\d+)?", timeout) and float(timeout) > 0):
        raise PageError(f"{place}: timeout takes a number of seconds, not {timeout!r}")
    if options["source"] not in ("", *SOURCES):
        raise PageError(f"{place}: source is one of {', '.join(SOURCES)}, not {options['source']!r}")
    varies = extra.get("varies", "false")
    if varies not in ("true", "false"):
        raise PageError(f"{place}: varies is 'true' or 'false', not {varies!r}")
    return Block(
        place=place,
        session=options["session"],
        code=code,
        origin=origin,
        raises=extra.get("raises", ""),
        timeout=None if timeout is None else float(timeout),
        width=options["width"],
        workdir=options["workdir"] or "",
        section=section,
        varies=varies == "true",
        shown=bool(options["source"]),
    )


def _accept(
    language: str, inputs: dict[str, str], options: dict[str, Any], attrs: dict[str, Any], md: Markdown
) -> bool:
    return True


def _nothing(source: str, language: str, css_class: str, options: dict[str, Any], md: Markdown, **_: Any) -> str:
    return ""
