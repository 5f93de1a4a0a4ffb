"""Find files and their sections as `pymdownx.snippets` does: where a snippet begins, and which ones exist.

The blocks of included Markdown are stamped when it is read, since nothing tells afterwards where they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from markdown import Markdown
from markdown.util import Registry
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
        edges = [number for number, name in self.markers if name == section]
        begin = edges[-1] if len(edges) > 1 else len(self.lines)
        end = next((number - 1 for number, _ in self.markers if number > begin), len(self.lines))
        code = self.lines[begin:end]
        first = next((number for number, line in enumerate(code) if line.strip()), len(code))
        return "\n".join(code[first:]).rstrip(), begin + first + 1


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """What a fence includes, if that is all that it contains."""

    file: SnippetFile
    path: Path
    lines: range
    """The lines of the file, counted from 0."""
    section: str
    """The name of the section; empty if it has none."""

    @property
    def code(self) -> list[str]:
        """The lines of code."""
        return self.file.lines[self.lines.start : self.lines.stop]


def find_snippet(snippets: SnippetPreprocessor, body: Sequence[str], files: dict[Path, SnippetFile]) -> Snippet | None:
    """Return the snippet that the lines of a fence include: their only directive, of contiguous lines; add its file."""
    directives = [line for line in body if line.strip()]
    target, path = (len(directives) == 1 and _parse_directive(snippets, directives[0])) or ({}, None)
    if path is None:
        return None
    if path not in files:
        files[path] = SnippetFile.read(snippets, path)
    lines = files[path].span(target)
    section = target["section"] or ""
    return None if lines is None else Snippet(file=files[path], path=path, lines=lines, section=section)


def find_preprocessor(md: Markdown) -> SnippetPreprocessor | None:
    """Return the preprocessor of a Markdown instance that includes snippets, if it has one."""
    found = find_processor(md.preprocessors, "snippet")
    return found if isinstance(found, SnippetPreprocessor) else None


def find_processor(registry: Registry[Any], name: str) -> Any:
    """Return what a Markdown instance has registered under a name, if anything."""
    return registry[name] if name in registry else None  # noqa: SIM401 (not a dict)


def stamp_included_files(md: Markdown, name_of: Callable[[Path], str]) -> None:
    """Have a Markdown instance stamp the blocks of the files that it includes, when it reads them."""
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
    target, path = _parse_directive(snippets, line) or (None, None)
    if target is None:
        return ""
    if path:
        sections = dict.fromkeys(name for _, name in SnippetFile.read(snippets, path).markers)
        return f"; sections of {path.name}: {', '.join(sections) or 'none'}"
    folders = [Path(folder) for folder in snippets.base_path]
    names = sorted(file.name for folder in folders if folder.is_dir() for file in folder.glob("*.py"))
    return f"; available: {', '.join(names)}" if names else ""


def _parse_directive(snippets: SnippetPreprocessor, line: str) -> tuple[dict[str, Any], Path | None] | None:
    """Return the target of a snippet directive, and its file if that exists; None if the line is not a directive."""
    match = snippets.RE_ALL_SNIPPETS.match(line)
    target = match and match["snippet"] and snippets.parse_snippet_target(match["snippet"][1:-1].strip())
    if not target:
        return None
    path = snippets.get_snippet_path(target["path"])
    return target, Path(path) if path else None
