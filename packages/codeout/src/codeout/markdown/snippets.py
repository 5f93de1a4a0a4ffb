"""Find files and their sections as `pymdownx.snippets` does: where a snippet begins, and which ones exist.

The blocks of included Markdown are stamped when it is read, since nothing tells afterwards where they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from markdown import Markdown
from pymdownx.snippets import SnippetPreprocessor

from codeout.markdown.fences import stamp


class SnippetFile(msgspec.Struct, frozen=True):
    """A file with snippets."""

    lines: list[str]
    markers: list[tuple[int, str]]
    """The line number, from 1, and the section name of each section marker."""

    @classmethod
    def read(cls, snippets: SnippetPreprocessor, path: Path) -> SnippetFile:
        """Read a file."""
        read_lines = getattr(snippets.read_lines, "original", snippets.read_lines)
        lines = [str(line) for line in read_lines(str(path))]
        matches = [(number, snippets.match_section(line)) for number, line in enumerate(lines, start=1)]
        return cls(lines, [(number, match["name"]) for number, match in matches if match])

    def span(self, target: dict[str, Any]) -> range | None:
        """Return the lines of a snippet, counted from 0; None if they are not contiguous."""
        if not target["section"]:
            is_whole = not self.markers and len(target["start"]) <= 1
            return range((target["start"] or [None])[0] or 0, len(self.lines)) if is_whole else None
        edges = [number for number, name in self.markers if name == target["section"]]
        if not edges:
            return None
        first, last = edges[0], edges[1] if len(edges) > 1 else len(self.lines) + 1
        return None if any(first < number < last for number, _ in self.markers) else range(first, last - 1)

    def checks_below(self, section: str) -> tuple[str, int]:
        """Return the code below a section, up to the next marker, and the line on which it begins, counted from 1."""
        own = [number for number, name in self.markers if name == section]
        begin = own[-1] if len(own) > 1 else len(self.lines)
        end = next((number - 1 for number, _ in self.markers if number > begin), len(self.lines))
        code = self.lines[begin:end]
        first = next((number for number, line in enumerate(code) if line.strip()), len(code))
        return "\n".join(code[first:]).rstrip(), begin + first + 1


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """What a fence includes, if that is all that it contains."""

    file: SnippetFile
    """The file that has it."""
    path: Path
    """Where that file is."""
    lines: range
    """The lines of the file, counted from 0."""
    section: str
    """The name of the section; empty if it has none."""

    @property
    def code(self) -> list[str]:
        """The lines of code."""
        return self.file.lines[self.lines.start : self.lines.stop]


class SnippetFinder(msgspec.Struct, frozen=True):
    """Finds the snippets of one page; reads each file, and looks for each snippet, once."""

    snippets: SnippetPreprocessor
    """The preprocessor of the site."""
    _files: dict[Path, SnippetFile] = msgspec.field(default_factory=dict)
    _found: dict[str, Snippet | None] = msgspec.field(default_factory=dict)

    def find(self, body: Sequence[str]) -> Snippet | None:
        """Return the snippet that a fence includes.

        Args:
            body: the lines of the fence, as written.

        Returns:
            None if the fence contains anything but one directive, or if the included lines are not contiguous.
        """
        directives = [line for line in body if line.strip()]
        if len(directives) != 1:
            return None
        directive = directives[0]
        if directive not in self._found:
            self._found[directive] = self._find(directive)
        return self._found[directive]

    def _find(self, directive: str) -> Snippet | None:
        target, path = _parse_directive(self.snippets, directive) or ({}, None)
        if path is None:
            return None
        if path not in self._files:
            self._files[path] = SnippetFile.read(self.snippets, path)
        lines = self._files[path].span(target)
        section = target["section"] or ""
        return None if lines is None else Snippet(file=self._files[path], path=path, lines=lines, section=section)


def find_preprocessor(md: Markdown) -> SnippetPreprocessor | None:
    """Return the preprocessor of a Markdown instance that includes snippets, if it has one."""
    found = md.preprocessors["snippet"] if "snippet" in md.preprocessors else None  # noqa: SIM401 (not a dict)
    return found if isinstance(found, SnippetPreprocessor) else None


def stamp_included_files(md: Markdown, name_of: Callable[[Path], str]) -> None:
    """Have a Markdown instance stamp the blocks of the files that it includes, when it reads them.

    Args:
        md: the instance.
        name_of: returns the name of a file, for messages.
    """
    snippets = find_preprocessor(md)
    if snippets is None or hasattr(snippets.read_lines, "original"):
        return
    original: Callable[[str], list[str]] = snippets.read_lines

    def read_lines(path: str) -> list[str]:
        lines = original(path)
        is_worth_it = any("exec" in line for line in lines)
        return stamp("\n".join(lines), name_of(Path(path))).split("\n") if is_worth_it else lines

    read_lines.original = original  # type: ignore[attr-defined]
    snippets.read_lines = read_lines


def describe_missing(snippets: SnippetPreprocessor, line: str) -> str:
    """Return the end of a message about a missing snippet: the sections of the file, or else the existing files."""
    parsed = _parse_directive(snippets, line)
    if parsed is None:
        return ""
    _, path = parsed
    if path is not None:
        sections = dict.fromkeys(name for _, name in SnippetFile.read(snippets, path).markers)
        return f"; sections of {path.name}: {', '.join(sections) or 'none'}"
    folders = [Path(folder) for folder in snippets.base_path]
    names = sorted(file.name for folder in folders if folder.is_dir() for file in folder.glob("*.py"))
    return f"; available: {', '.join(names)}" if names else ""


def _parse_directive(snippets: SnippetPreprocessor, line: str) -> tuple[dict[str, Any], Path | None] | None:
    """Return the target of a snippet directive, and its file if that exists; None if the line is not a directive."""
    match = snippets.RE_ALL_SNIPPETS.match(line)
    if match is None or not match["snippet"]:
        return None
    target = snippets.parse_snippet_target(match["snippet"][1:-1].strip())
    if not target:
        return None
    path = snippets.get_snippet_path(target["path"])
    return target, Path(path) if path else None
