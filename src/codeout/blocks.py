"""Find the executable blocks of a page, in order, by converting it with a formatter that only records.

A page's text goes through the two preprocessors that turn it into fences, and no further: `pymdownx.snippets`,
which puts in the sections, and `pymdownx.superfences`, which finds the fences and reads their options.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markdown import Markdown
from markdown_exec import validator
from pymdownx.snippets import SnippetPreprocessor

from codeout.errors import PageError

LANGUAGES = ("python", "py")
OPENING = re.compile(r"^(?P<indent>[> \t]*)(?P<fence>`{3,}|~{3,})[ \t{]*\.?(?:python|py)\b.*\bexec\b")


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

    def __str__(self) -> str:
        """Return where the block is, and where its code is if that is elsewhere."""
        same = self.origin.path == self.place.path
        return f"{self.place}" if same else f"{self.place} ({self.origin})"

    def line(self, number: int | None) -> str:
        """Return where line `number` of the origin's file is, in words for a message."""
        if number is None:
            return str(self)
        if self.origin.path == self.place.path:
            return f"{self.place.path}:{number}"
        return f"{self.place} ({self.origin.path}:{number})"


def sessions(blocks: Iterable[Block]) -> list[tuple[Block, ...]]:
    """Return the blocks of a page by session, in page order; a block without a session is one by itself."""
    order: dict[str, list[Block]] = {}
    for number, block in enumerate(blocks):
        order.setdefault(block.session or f"#{number}", []).append(block)
    return [tuple(session) for session in order.values()]


@dataclass(slots=True)
class Finder:
    """Finds blocks, with the snippet settings of one site."""

    snippets: SnippetPreprocessor | None = None
    root: Path = field(default_factory=Path.cwd)  # what the paths in messages are relative to
    _fences: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _markdown: Markdown | None = None

    def find(self, text: str, page: str, offset: int = 0) -> list[Block]:
        """Return the executable blocks of a page.

        Args:
            text: the Markdown of the page.
            page: its path, for messages.
            offset: how many lines of the file stand above `text` (front matter).

        Raises:
            PageError: an option of a block has no meaning.
        """
        if "exec" not in text:
            return []
        self._fences.clear()
        lines = text.split("\n")
        expanded = self._expand(lines)
        self._converter().preprocessors["fenced_code_block"].run(expanded)
        raw = _openings(lines)
        found = []
        for code, options in self._fences:
            place, body = self._locate(code, raw, page, offset)
            found.append(_block(code, options, place, self._origin(body, place)))
        return found

    def _converter(self) -> Markdown:
        """Return a converter that records each executable Python fence, and passes over all others."""
        if self._markdown is None:
            fences = [{"name": "*", "class": "", "validator": _accept, "format": _nothing}]
            fences += [
                {"name": name, "class": "", "validator": validator, "format": self._record} for name in LANGUAGES
            ]
            settings = {"pymdownx.superfences": {"custom_fences": fences}}
            self._markdown = Markdown(extensions=["pymdownx.superfences"], extension_configs=settings)
        return self._markdown

    def _record(
        self, source: str, language: str, css_class: str, options: dict[str, Any], md: Markdown, **_: Any
    ) -> str:
        self._fences.append((source, options))
        return ""

    def _expand(self, lines: list[str]) -> list[str]:
        expanded: list[str] = self.snippets.run(list(lines)) if self.snippets else lines
        return expanded

    def _locate(
        self, code: str, raw: list[tuple[int, str, list[str]]], page: str, offset: int
    ) -> tuple[Place, list[str]]:
        """Return where a recorded fence opens, and its body as written; fences above it are passed over for good."""
        while raw:
            line, indent, body = raw.pop(0)
            dedented = [text.removeprefix(indent) for text in body]
            if "\n".join(self._expand(dedented)).expandtabs(4).strip() == code.strip():
                return Place(page, offset + line), dedented
        return Place(page, offset + 1), []

    def _origin(self, body: list[str], place: Place) -> Place:
        """Return where the first line of a fence's code stands: its snippet if that is all there is, else the page."""
        directives = [line for line in body if line.strip()]
        here = Place(place.path, place.line + 1)
        if self.snippets is None or len(directives) != 1:
            return here
        match = self.snippets.RE_ALL_SNIPPETS.match(directives[0])
        if match is None or not match["snippet"]:
            return here
        target = self.snippets.parse_snippet_target(match["snippet"][1:-1].strip())
        path = self.snippets.get_snippet_path(target["path"]) if target else None
        if path is None:
            return here
        lines = self.snippets.read_lines(path)
        shown = Path(path).relative_to(self.root).as_posix() if Path(path).is_relative_to(self.root) else path
        for number, line in enumerate(lines, start=1):
            marker = self.snippets.match_section(line)
            if target["section"] and marker and marker["name"] == target["section"]:
                return Place(shown, number + 1)
        return Place(shown, (target["start"] or [0])[0] + 1)


def _openings(lines: Sequence[str]) -> list[tuple[int, str, list[str]]]:
    """Return (1-based line, indent, body) of everything that looks like an executable fence."""
    found = []
    for number, line in enumerate(lines, start=1):
        if match := OPENING.match(line):
            closing = re.compile(rf"^[> \t]*{match['fence']}[ \t]*$")
            end = next((i for i in range(number, len(lines)) if closing.match(lines[i])), len(lines))
            found.append((number, match["indent"], list(lines[number:end])))
    return found


def _block(code: str, options: dict[str, Any], place: Place, origin: Place) -> Block:
    extra = options.get("extra", {})
    timeout = extra.get("timeout")
    if timeout is not None and not re.fullmatch(r"\d+(\.\d+)?", timeout):
        raise PageError(f"{place}: timeout takes a number of seconds, not {timeout!r}")
    return Block(
        place=place,
        session=options["session"],
        code=code,
        origin=origin,
        raises=extra.get("raises", ""),
        timeout=None if timeout is None else float(timeout),
        width=options["width"],
        workdir=options["workdir"] or "",
    )


def _accept(
    language: str, inputs: dict[str, str], options: dict[str, Any], attrs: dict[str, Any], md: Markdown
) -> bool:
    return True


def _nothing(source: str, language: str, css_class: str, options: dict[str, Any], md: Markdown, **_: Any) -> str:
    return ""
