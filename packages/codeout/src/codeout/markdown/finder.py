"""Find the executable blocks of a page, in order, by converting it with a formatter that only records.

A page's text goes through the two preprocessors that turn it into fences, and no further: `pymdownx.snippets`,
which puts in the sections, and `pymdownx.superfences`, which finds the fences and reads their options.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markdown import Markdown
from markdown_exec import MARKDOWN_EXEC_AUTO, validator
from pymdownx.snippets import SnippetMissingError, SnippetPreprocessor

from codeout.errors import PageError
from codeout.markdown import snippets
from codeout.model.blocks import Block, Place

LANGUAGES = ("python", "py")
OPENING = re.compile(r"^(?P<indent>[> ]*)(?P<fence>`{3,}|~{3,})[ {]*(?:[^`]*[. ])?(?:python|py)\b")
OURS = ("raises", "timeout", "measured")  # options of a block that markdown-exec does not know
SHOWN = ("hl_lines", "linenums", "title", "title_mode")  # options of a shown block, which it passes on
SOURCES = ("above", "below", "block", "console", "material-block", "tabbed-left", "tabbed-right")
THEIRS = (
    *("exec", "html", "id", "idprefix", "result", "returncode"),
    *("session", "source", "tabs", "updatetoc", "width", "workdir"),
)


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
    measured = extra.get("measured", "false")
    if measured not in ("true", "false"):
        raise PageError(f"{place}: measured is 'true' or 'false', not {measured!r}")
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
        measured=measured == "true",
        shown=bool(options["source"]),
    )


def _accept(
    language: str, inputs: dict[str, str], options: dict[str, Any], attrs: dict[str, Any], md: Markdown
) -> bool:
    return True


def _nothing(source: str, language: str, css_class: str, options: dict[str, Any], md: Markdown, **_: Any) -> str:
    return ""
