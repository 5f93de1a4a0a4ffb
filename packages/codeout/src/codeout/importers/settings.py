"""Add to a `mkdocs.yml` what codeout needs, as its author would: line by line, with everything else as it was."""

from __future__ import annotations

import re
from collections.abc import Sequence

EXTENSIONS = {
    "pymdownx.superfences": "pymdownx.superfences",
    "pymdownx.highlight": "pymdownx.highlight",
    "pymdownx.snippets": "pymdownx.snippets: {base_path: [snippets], check_paths: true}",
    "pymdownx.tabbed": "pymdownx.tabbed: {alternate_style: true}",
    "codeout": "codeout  # runs the blocks",
}
PLUGINS = {"codeout": "codeout", "markdown-exec": "markdown-exec"}
ITEM = re.compile(r"^(\s*)- *[\"']?([\w.-]+)")


class NotAListError(ValueError):
    """A list in the settings that is not written with one item a line; the message says what to add by hand."""

    def __init__(self, key: str, missing: Sequence[str], line: int) -> None:
        """Take the list's name, what it lacks, and its line, from 1."""
        items = "".join(f"\n  - {item.partition('  #')[0]}" for item in missing)
        super().__init__(f"`{key}` is not a list with one item a line; write it so, and add to it{items}")
        self.line = line


def docs_dir(text: str) -> str:
    """Return the folder of the pages."""
    match = re.search(r"^docs_dir\s*:\s*[\"']?([^\s\"'#]+)", text, re.MULTILINE)
    return match[1] if match else "docs"


def add_settings(text: str) -> tuple[str, list[str]]:
    """Return a configuration with what codeout needs, and the lines that were added.

    Raises:
        NotAListError: a list in it is not written with one item a line.
    """
    text, extensions = _add_items(text, "markdown_extensions", EXTENSIONS, [])
    text, plugins = _add_items(text, "plugins", PLUGINS, ["search"])  # MkDocs adds it only where there is no list
    return text, [*extensions, *plugins]


def _add_items(text: str, key: str, wanted: dict[str, str], default: Sequence[str]) -> tuple[str, list[str]]:
    lines = text.split("\n")
    start = next((number for number, line in enumerate(lines) if re.match(rf"{key}\s*:", line)), None)
    if start is None:
        block = [f"{key}:", *(f"  - {item}" for item in (*default, *wanted.values()))]
        return "\n".join([text.rstrip("\n"), "", *block, ""]), block
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith((" ", "-", "#"))):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    items = [match for match in map(ITEM.match, lines[start + 1 : end]) if match]
    is_list = re.match(rf"{key}\s*:\s*(#.*)?$", lines[start]) and items
    indent = items[0][1] if items else "  "
    names = {match[2] for match in items if match[1] == indent} or {*re.findall(r"[\w.-]+", lines[start])}
    missing = [item for name, item in wanted.items() if name not in names]
    if not missing:
        return text, []
    if not is_list:
        raise NotAListError(key, missing, start + 1)
    added = [f"{indent}- {item}" for item in missing]
    return "\n".join([*lines[:end], *added, *lines[end:]]), added
