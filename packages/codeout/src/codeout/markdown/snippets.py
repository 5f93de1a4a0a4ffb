"""Find files and their sections as `pymdownx.snippets` does: where a snippet begins, and which ones exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from pymdownx.snippets import SnippetPreprocessor


class SnippetFile(msgspec.Struct, frozen=True):
    """A file with snippets."""

    lines: list[str]
    markers: list[tuple[int, str]]
    """The line number, from 1, and the section name of each section marker."""

    @classmethod
    def read(cls, snippets: SnippetPreprocessor, path: Path) -> SnippetFile:
        """Read a file."""
        lines = [str(line) for line in snippets.read_lines(str(path))]
        matches = [(number, snippets.match_section(line)) for number, line in enumerate(lines, start=1)]
        return cls(lines, [(number, match["name"]) for number, match in matches if match])

    def first_line(self, target: dict[str, Any]) -> int | None:
        """Return the line where a snippet begins; None if its lines are not contiguous."""
        if not target["section"]:
            is_whole = not self.markers and len(target["start"]) <= 1
            return ((target["start"] or [None])[0] or 0) + 1 if is_whole else None
        edges = [number for number, name in self.markers if name == target["section"]]
        first, last = edges[0], edges[1] if len(edges) > 1 else self.markers[-1][0] + 1
        return None if any(first < number < last for number, _ in self.markers) else first + 1

    def checks_below(self, section: str) -> tuple[str, int]:
        """Return the code below a section, up to the next marker, and the line on which it begins, counted from 1."""
        own = [number for number, name in self.markers if name == section]
        begin = own[-1] if len(own) > 1 else len(self.lines)
        end = next((number - 1 for number, _ in self.markers if number > begin), len(self.lines))
        code = self.lines[begin:end]
        first = next((number for number, line in enumerate(code) if line.strip()), len(code))
        return "\n".join(code[first:]).rstrip(), begin + first + 1


class SnippetFinder(msgspec.Struct, frozen=True):
    """Finds the snippets of one page; reads each file once."""

    snippets: SnippetPreprocessor
    """The preprocessor of the site."""
    _files: dict[Path, SnippetFile] = msgspec.field(default_factory=dict)

    def file(self, path: Path) -> SnippetFile:
        """Return a file with snippets."""
        if path not in self._files:
            self._files[path] = SnippetFile.read(self.snippets, path)
        return self._files[path]

    def locate(self, body: list[str]) -> tuple[Path, int, str] | None:
        """Return where the code of a fence begins: its file, the line from 1, and its section or an empty string.

        Args:
            body: the lines of the fence, as written.

        Returns:
            None if the fence contains anything but one directive, or if the included lines are not contiguous.
        """
        directives = [line for line in body if line.strip()]
        parsed = _parse_directive(self.snippets, directives[0]) if len(directives) == 1 else None
        target, path = parsed or ({}, None)
        if path is None:
            return None
        first = self.file(path).first_line(target)
        return None if first is None else (path, first, target["section"] or "")


def describe_available(snippets: SnippetPreprocessor, line: str) -> str:
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
