"""Sections of files as `pymdownx.snippets` finds them: where one begins, and which there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pymdownx.snippets import SnippetPreprocessor


def begins(snippets: SnippetPreprocessor, body: list[str]) -> tuple[Path, int, str] | None:
    """Return where the code of a fence begins in its snippet: file, line from 1, section (or an empty name).

    Args:
        snippets: the site's own.
        body: the lines of the fence, as written.

    Returns:
        None if the fence holds anything else, too, or if what it asks for is not in one piece.
    """
    directives = [line for line in body if line.strip()]
    asked = _asked(snippets, directives[0]) if len(directives) == 1 else None
    target, path = asked or ({}, None)
    if path is None:
        return None
    first = _first_line(snippets, path, target)
    return None if first is None else (path, first, target["section"] or "")


def choices(snippets: SnippetPreprocessor, line: str) -> str:
    """Return the end of a message about a missing snippet: the sections of the file, or else the files that exist."""
    asked = _asked(snippets, line)
    if asked is None:
        return ""
    _, path = asked
    if path is not None:
        sections = dict.fromkeys(name for _, name in _markers(snippets, path))
        return f"; sections of {path.name}: {', '.join(sections) or 'none'}"
    folders = [Path(folder) for folder in snippets.base_path]
    names = sorted(file.name for folder in folders if folder.is_dir() for file in folder.glob("*.py"))
    return f"; available: {', '.join(names)}" if names else ""


def _asked(snippets: SnippetPreprocessor, line: str) -> tuple[dict[str, Any], Path | None] | None:
    """Return what a line asks for, and the file that has it, if there is one; None if it asks for nothing."""
    match = snippets.RE_ALL_SNIPPETS.match(line)
    if match is None or not match["snippet"]:
        return None
    target = snippets.parse_snippet_target(match["snippet"][1:-1].strip())
    if not target:
        return None
    path = snippets.get_snippet_path(target["path"])
    return target, Path(path) if path else None


def _markers(snippets: SnippetPreprocessor, path: Path) -> list[tuple[int, str]]:
    """Return the lines of a file at which sections begin and end, with their names."""
    matches = [(n, snippets.match_section(line)) for n, line in enumerate(snippets.read_lines(str(path)), start=1)]
    return [(number, match["name"]) for number, match in matches if match]


def _first_line(snippets: SnippetPreprocessor, path: Path, target: dict[str, Any]) -> int | None:
    """Return the line of a file where a snippet begins; None if what follows is not in one piece."""
    markers = _markers(snippets, path)
    if not target["section"]:
        return None if markers or len(target["start"]) > 1 else ((target["start"] or [None])[0] or 0) + 1
    edges = [number for number, name in markers if name == target["section"]]
    first, last = edges[0], edges[1] if len(edges) > 1 else markers[-1][0] + 1
    return None if any(first < number < last for number, _ in markers) else first + 1
