"""Where the code of a fence comes from: a line of the page, a snippet, an included file, or a docstring.

A stamp names the file and the line of a fence; what it includes follows from that. Only where no stamp can be, in
docstrings, in what a block prints and in what other plugins include, is the same code searched for.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec
from pymdownx.snippets import SnippetMissingError, SnippetPreprocessor

from codeout.config import Config
from codeout.markdown.fences import Fence, find_examples, find_fences
from codeout.markdown.snippets import Snippet, SnippetFile, find_snippet
from codeout.model.blocks import Place

INCLUDE = re.compile(
    r"""-{1,2}8<-{1,2}\s+"(?P<snippet>[^"]+)"|\{%-?\s*include(?:-markdown)?\s+["'](?P<include>[^"']+)["']|\{!\s*(?P<bang>[^!]+?)\s*!\}"""
)
INCLUDED_FILES = re.compile(
    r"^[ \t]*-{1,}8<-{1,}[ \t]*\n(?P<files>.*?)^[ \t]*-{1,}8<-{1,}[ \t]*$", re.MULTILINE | re.DOTALL
)
DIRECTIVE = re.compile(r"^[> \t]*:::\s*(?P<object>[\w.:-]+)", re.MULTILINE)
MAX_INCLUDES = 200
"""Files that are searched for one page."""


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """Where a fence and its code are; the fields are those of a `Block`."""

    place: Place
    origin: Place
    section: str = ""
    checks: str = ""
    checks_line: int = 0


class Sources(msgspec.Struct, kw_only=True):
    """Finds the places of fences in the files of one page."""

    page: str
    text: str
    """The page as its author wrote it, front matter included."""
    root: Path
    """The folder that paths in messages are relative to."""
    folders: Sequence[Path]
    """Where included files are searched."""
    snippets: SnippetPreprocessor | None
    has_checks: bool
    """Whether the code below a snippet section belongs to it."""
    _fences: dict[str, list[Fence]] = msgspec.field(default_factory=dict)
    _includes: list[tuple[int, str]] | None = None
    _files: dict[Path, SnippetFile] = msgspec.field(default_factory=dict)
    _names: dict[Path, str] = msgspec.field(default_factory=dict)

    @classmethod
    def from_config(
        cls, config: Config, snippets: SnippetPreprocessor | None, *, page: str, text: str, folders: Sequence[Path] = ()
    ) -> Sources:
        """Return the sources of a page, whose includes are searched in folders and then in those of the settings."""
        root = config.root.resolve()
        folders = [*folders, root, root / config.docs_dir, *map(Path, snippets.base_path if snippets else ())]
        checks = config.section_checks
        return cls(page=page, text=text, root=root, folders=folders, snippets=snippets, has_checks=checks)

    def locate(
        self, code: str, *, stamped: Place | None = None, printed_by: Place | None = None, documented: str = ""
    ) -> Location:
        """Return where a fence is: in the file that its stamp names, what a block printed, or an object's docstring."""
        if stamped:
            return self._from_stamp(stamped)
        module = _module_file(documented, self.root) if documented else None
        included = [path for _, path in self._included_files()]
        for path in (self.page, *included, *([self.name(module)] if module else [])):
            for fence in self._fences_of(path):
                if self._has_code(fence, code):
                    return self._location(fence, path, documented)
        place = printed_by or Place(self.page, self._directive_line(documented))
        return Location(place=place, origin=place)

    def name(self, path: Path) -> str:
        """Return the name of a file: relative to the root where possible."""
        if path not in self._names:
            resolved = path.resolve()
            shown = resolved.relative_to(self.root) if resolved.is_relative_to(self.root) else path
            self._names[path] = shown.as_posix()
        return self._names[path]

    def _from_stamp(self, stamped: Place) -> Location:
        for fence in self._fences_of(stamped.path):
            if fence.line == stamped.line:
                return self._location(fence, stamped.path, "")
        return Location(place=stamped, origin=stamped)  # the file has been changed since it was read

    def _location(self, fence: Fence, path: str, documented: str) -> Location:
        place = Place(self.page, fence.line if path == self.page else self._line_of_inclusion(path, documented))
        snippet = self._snippet(fence)
        if snippet is None:
            return Location(place=place, origin=Place(path, fence.line + 1))
        section = snippet.section
        checks, line = snippet.file.checks_below(section) if self.has_checks and section else ("", 0)
        origin = Place(self.name(snippet.path), snippet.lines.start + 1)
        return Location(place=place, origin=origin, section=section, checks=checks, checks_line=line)

    def _line_of_inclusion(self, path: str, documented: str) -> int:
        line = next((line for line, name in self._included_files() if name == path), 0)
        return line or self._directive_line(documented)

    def _directive_line(self, documented: str) -> int:
        """Return the line that asks for the documentation of an object, or of what contains it; 1 if none does."""
        for match in DIRECTIVE.finditer(self.text):
            if f"{documented}.".startswith(f"{match['object']}."):
                return self.text.count("\n", 0, match.start("object")) + 1
        return 1

    def _fences_of(self, path: str) -> list[Fence]:
        if path not in self._fences:
            text = self.text if path == self.page else _read(self.root / path)
            self._fences[path] = [*find_fences(text), *find_examples(text)]
        return self._fences[path]

    def _included_files(self) -> list[tuple[int, str]]:
        if self._includes is None:
            self._includes = []
            waiting = [(line, target, self.folders) for line, target in _included(self.text)]
            while waiting and len(self._includes) < MAX_INCLUDES:
                line, target, folders = waiting.pop(0)
                path = next((folder / target for folder in folders if (folder / target).is_file()), None)
                if path and self.name(path) not in [name for _, name in self._includes]:
                    self._includes.append((line, self.name(path)))
                    waiting += [(line, inner, (path.parent, *self.folders)) for _, inner in _included(_read(path))]
        return self._includes

    def _has_code(self, fence: Fence, code: str) -> bool:
        wanted, is_plain = _normalize(code.split("\n")), "8<" not in "\n".join(fence.body)
        if self.snippets is None or is_plain or _normalize(fence.body) == wanted:
            return _normalize(fence.body) == wanted
        if (snippet := self._snippet(fence)) and _normalize(snippet.code) == wanted:
            return True
        try:
            return _normalize(self.snippets.run(list(fence.body))) == wanted
        except SnippetMissingError:
            return False

    def _snippet(self, fence: Fence) -> Snippet | None:
        return find_snippet(self.snippets, fence.body, self._files) if self.snippets else None


def _normalize(lines: Sequence[str]) -> str:
    """Return lines as Python-Markdown passes them on: tabs are spaces, blank lines are empty."""
    return "\n".join(line.expandtabs(4) if line.strip() else "" for line in lines).strip()


def _included(text: str) -> Iterator[tuple[int, str]]:
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
    parts = dotted.split(".")
    folders = [root, root / "src", *(Path(entry) for entry in sys.path if entry)]
    for count in range(len(parts), 0, -1):
        for folder in folders:
            base = folder.joinpath(*parts[:count])
            for candidate in (base.with_suffix(".py"), base / "__init__.py"):
                if candidate.is_file():
                    return candidate
    return None
