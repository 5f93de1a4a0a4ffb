"""Find files and their sections as `pymdownx.snippets` does: where a snippet begins, and which ones exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pymdownx.snippets import SnippetPreprocessor


def locate_code(snippets: SnippetPreprocessor, body: list[str]) -> tuple[Path, int, str] | None:
    """Return where the code of a fence begins: its file, the line counted from 1, and its section or an empty string.

    Args:
        snippets: the preprocessor of the site.
        body: the lines of the fence, as written.

    Returns:
        None if the fence contains anything but one directive, or if the included lines are not contiguous.
    """
    directives = [line for line in body if line.strip()]
    parsed = _parse_directive(snippets, directives[0]) if len(directives) == 1 else None
    target, path = parsed or ({}, None)
    if path is None:
        return None
    first = _first_line(snippets, path, target)
    return None if first is None else (path, first, target["section"] or "")


def checks_below(snippets: SnippetPreprocessor, path: Path, section: str) -> tuple[str, int]:
    """Return the code below a section, up to the next marker, and the line on which it begins, counted from 1."""
    lines = [str(line) for line in snippets.read_lines(str(path))]
    markers = _section_markers(snippets, path)
    own = [number for number, name in markers if name == section]
    begin = own[-1] if len(own) > 1 else len(lines)
    end = next((number - 1 for number, _ in markers if number > begin), len(lines))
    code = lines[begin:end]
    first = next((number for number, line in enumerate(code) if line.strip()), len(code))
    return "\n".join(code[first:]).rstrip(), begin + first + 1


def describe_available(snippets: SnippetPreprocessor, line: str) -> str:
    """Return the end of a message about a missing snippet: the sections of the file, or else the existing files."""
    parsed = _parse_directive(snippets, line)
    if parsed is None:
        return ""
    _, path = parsed
    if path is not None:
        sections = dict.fromkeys(name for _, name in _section_markers(snippets, path))
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


def _section_markers(snippets: SnippetPreprocessor, path: Path) -> list[tuple[int, str]]:
    """Return the line number and the section name of each section marker in a file."""
    matches = [(n, snippets.match_section(line)) for n, line in enumerate(snippets.read_lines(str(path)), start=1)]
    return [(number, match["name"]) for number, match in matches if match]


def _first_line(snippets: SnippetPreprocessor, path: Path, target: dict[str, Any]) -> int | None:
    """Return the line of a file where a snippet begins; None if its lines are not contiguous."""
    markers = _section_markers(snippets, path)
    if not target["section"]:
        return None if markers or len(target["start"]) > 1 else ((target["start"] or [None])[0] or 0) + 1
    edges = [number for number, name in markers if name == target["section"]]
    first, last = edges[0], edges[1] if len(edges) > 1 else markers[-1][0] + 1
    return None if any(first < number < last for number, _ in markers) else first + 1
