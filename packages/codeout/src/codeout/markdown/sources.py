"""Where the code of a fence comes from: a line of the page, a snippet, an included file, or a docstring.

A fence reaches the formatter as code without a place. The place is found by looking for the same code in the files
that the page is made of, in page order, so that messages name the author's own file and line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec
from pymdownx.snippets import SnippetMissingError, SnippetPreprocessor

from codeout.markdown.fences import closing_line, find_executed
from codeout.markdown.prompts import split_prompts
from codeout.markdown.snippets import Snippet, SnippetFinder
from codeout.model.blocks import Place

OPENING = re.compile(r"^(?P<indent>[> \t]*)(?P<fence>`{3,}|~{3,})[ {]*(?:[^`]*[. ])?(?:python|py|pycon)\b")
INCLUDE = re.compile(
    r"""-{1,2}8<-{1,2}\s+"(?P<snippet>[^"]+)"|\{%-?\s*include(?:-markdown)?\s+["'](?P<include>[^"']+)["']|\{!\s*(?P<bang>[^!]+?)\s*!\}"""
)
INCLUDED_FILES = re.compile(
    r"^[ \t]*-{1,}8<-{1,}[ \t]*\n(?P<files>.*?)^[ \t]*-{1,}8<-{1,}[ \t]*$", re.MULTILINE | re.DOTALL
)
DIRECTIVE = re.compile(r"^[> \t]*:::\s*(?P<object>[\w.:-]+)", re.MULTILINE)
CODE_OR_COMMENT = re.compile(
    r"^[> \t]*(?P<fence>`{3,}|~{3,}).*?(?:^[> \t]*(?P=fence)[ \t]*$|\Z)"
    r"|(?P<ticks>`+)(?!`)[^\n]*?(?<!`)(?P=ticks)(?!`)"
    r"|(?P<comment><!--.*?-->)",
    re.MULTILINE | re.DOTALL,
)
MAX_INCLUDES = 200  # files that are searched for one page


class Fence(msgspec.Struct, frozen=True):
    """An executable-looking fence in a text."""

    line: int
    """Counted from 1."""
    body: tuple[str, ...]
    """Its lines, without the fence's own indentation."""
    is_commented: bool = False
    """Whether it is inside an HTML comment."""
    is_listing: bool = False
    """Whether it is shown and does not run: it does not ask for it, or is inside another fence."""

    def is_code(self, code: str) -> bool:
        """Return whether its lines are this code, but for white space that Python-Markdown changes."""
        wanted = _normalize(code.split("\n"))
        return wanted == _normalize(self.body) or wanted == split_prompts("\n".join(self.body))[0].strip()


class Location(msgspec.Struct, frozen=True):
    """Where a fence and its code are."""

    place: Place
    """The line of the page."""
    origin: Place
    """The first line of the code."""
    section: str = ""
    """The snippet section that is the code, if it is one."""
    is_commented: bool = False
    """Whether the page seems to have it inside an HTML comment; the HTML decides."""
    checks: str = ""
    """The code below its snippet section."""
    checks_line: int = 0
    """The line of `origin`'s file on which that begins, counted from 1."""


class Sources(msgspec.Struct):
    """Finds places of fences in the files of one page, in page order."""

    page: str
    """The path of the page, for messages."""
    text: str
    """The page as its author wrote it, front matter included."""
    root: Path
    """The folder that paths in messages are relative to."""
    folders: Sequence[Path] = ()
    """Where included files are searched."""
    snippets: SnippetPreprocessor | None = None
    has_checks: bool = False
    """Whether the code below a snippet section belongs to it."""
    _fences: list[Fence] | None = None
    _next: int = 0
    _includes: list[tuple[int, Path]] | None = None
    _files: dict[Path, list[Fence]] = msgspec.field(default_factory=dict)
    _finder: SnippetFinder | None = None
    _names: dict[Path, str] = msgspec.field(default_factory=dict)

    def locate(self, code: str, printed_by: Place | None = None, documented: str = "") -> Location:
        """Return where a fence with this code is.

        Args:
            code: as the formatter receives it.
            printed_by: the place of the block whose output contains the fence, if one does.
            documented: the dotted path of the object whose docstring is converted, if one is.
        """
        return (
            self._in_page(code)
            or self._in_included_files(code)
            or (self._in_docstring(code, documented) if documented else None)
            or self._unknown(printed_by, documented)
        )

    def _in_page(self, code: str) -> Location | None:
        fences = self._page_fences()
        for number in (*range(self._next, len(fences)), *range(self._next)):
            fence = fences[number]
            if self._has_code(fence.body, code):
                self._next = 0 if fence.is_listing else number + 1
                place = Place(self.page, fence.line)
                return self._location(place, fence, self.page)
        return None

    def _in_included_files(self, code: str) -> Location | None:
        for line, path in self._included_files():
            for fence in self._file_fences(path):
                if self._has_code(fence.body, code):
                    return self._location(Place(self.page, line), fence, self._shown(path))
        return None

    def _in_docstring(self, code: str, documented: str) -> Location | None:
        path = _module_file(documented, self.root)
        for fence in self._file_fences(path) if path else ():
            if self._has_code(fence.body, code):
                place = Place(self.page, self._directive_line(documented))
                return msgspec.structs.replace(
                    self._location(place, fence, self._shown(path) if path else ""), is_commented=False
                )
        return None

    def _unknown(self, printed_by: Place | None, documented: str) -> Location:
        place = printed_by or Place(self.page, self._directive_line(documented) if documented else 1)
        return Location(place, place)

    def _directive_line(self, documented: str) -> int:
        """Return the line that asks for the documentation of an object, or of what contains it."""
        for match in DIRECTIVE.finditer(self.text):
            if f"{documented}.".startswith(f"{match['object']}."):
                return self.text.count("\n", 0, match.start("object")) + 1
        return 1

    def _page_fences(self) -> list[Fence]:
        """Return the fences of the page in order; listings come last."""
        if self._fences is None:
            self._fences = sorted(find_fences(self.text), key=lambda fence: fence.is_listing)
        return self._fences

    def _file_fences(self, path: Path) -> list[Fence]:
        if path not in self._files:
            self._files[path] = find_fences(_read(path))
        return self._files[path]

    def _included_files(self) -> list[tuple[int, Path]]:
        """Return the files that the page includes, and those that they include, with the line of the page."""
        if self._includes is None:
            self._includes = []
            waiting = [(line, target, self.folders) for line, target in _included(self.text)]
            while waiting and len(self._includes) < MAX_INCLUDES:
                line, target, folders = waiting.pop(0)
                path = next((folder / target for folder in folders if (folder / target).is_file()), None)
                if path and path not in [known for _, known in self._includes]:
                    self._includes.append((line, path))
                    waiting += [(line, inner, (path.parent, *self.folders)) for _, inner in _included(_read(path))]
        return self._includes

    def _has_code(self, body: Sequence[str], code: str) -> bool:
        """Return whether the lines of a fence are this code, once snippets are included."""
        wanted = _normalize(code.split("\n"))
        if _normalize(body) == wanted:
            return True
        if self.snippets is None or "8<" not in "\n".join(body):
            return False
        if (snippet := self._snippet(body)) and _normalize(snippet.code) == wanted:
            return True
        try:
            return _normalize(self.snippets.run(list(body))) == wanted
        except SnippetMissingError:
            return False

    def _location(self, place: Place, fence: Fence, path: str) -> Location:
        """Return where a fence's code is: in its snippet, or in the file that has the fence."""
        snippet = self._snippet(fence.body)
        if snippet is None:
            return Location(place, Place(path, fence.line + 1), "", fence.is_commented)
        section = snippet.section
        checks = snippet.file.checks_below(section) if self.has_checks and section else ("", 0)
        origin = Place(self._shown(snippet.path), snippet.lines.start + 1)
        return Location(place, origin, section, fence.is_commented, *checks)

    def _snippet(self, body: Sequence[str]) -> Snippet | None:
        """Return the snippet that is all that a fence contains; None if there is none."""
        if self._finder is None and self.snippets:
            self._finder = SnippetFinder(self.snippets)
        return self._finder.find(body) if self._finder else None

    def _shown(self, path: Path) -> str:
        if path not in self._names:
            resolved = path.resolve()
            shown = resolved.relative_to(self.root) if resolved.is_relative_to(self.root) else path
            self._names[path] = shown.as_posix()
        return self._names[path]


def find_fences(text: str) -> list[Fence]:
    """Return everything in a text that looks like the fence of a Python block."""
    lines = text.split("\n")
    comments = find_comments(text)
    executed = {*find_executed(lines)}
    fences, offset = [], 0
    for number, line in enumerate(lines, start=1):
        if match := OPENING.match(line):
            end = closing_line(lines, number, match["fence"])
            body = tuple(_without_indent(text, match["indent"]) for text in lines[number:end])
            is_commented = any(start < offset < stop for start, stop in comments)
            fences.append(Fence(number, body, is_commented, is_listing=number not in executed))
        offset += len(line) + 1
    return fences


def find_comments(text: str) -> list[tuple[int, int]]:
    """Return where HTML comments begin and end; not what looks like one in code."""
    if "<!--" not in text:
        return []
    return [match.span() for match in CODE_OR_COMMENT.finditer(text) if match["comment"]]


def _without_indent(line: str, indent: str) -> str:
    return "" if line.strip() == indent.strip() else line.removeprefix(indent)


def _normalize(lines: Sequence[str]) -> str:
    """Return lines as Python-Markdown hands them on: tabs are spaces, blank lines are empty."""
    return "\n".join(line.expandtabs(4) if line.strip() else "" for line in lines).strip()


def _included(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the target of each directive of a text that includes a file."""
    for match in INCLUDE.finditer(text):
        target = next(part for part in match.groups() if part)
        yield text.count("\n", 0, match.start()) + 1, re.sub(r":[\w:,-]*$", "", target)
    for match in INCLUDED_FILES.finditer(text):
        first = text.count("\n", 0, match.start("files")) + 1
        for number, line in enumerate(match["files"].splitlines(), start=first):
            yield number, re.sub(r":[\w:,-]*$", "", line.strip())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf8", errors="replace")
    except OSError:
        return ""


@cache
def _module_file(dotted: str, root: Path) -> Path | None:
    """Return the file of the module that an object is in, without importing anything."""
    parts = dotted.split(".")
    folders = [root, root / "src", *(Path(entry) for entry in sys.path if entry)]
    for count in range(len(parts), 0, -1):
        for folder in folders:
            base = folder.joinpath(*parts[:count])
            for candidate in (base.with_suffix(".py"), base / "__init__.py"):
                if candidate.is_file():
                    return candidate
    return None
