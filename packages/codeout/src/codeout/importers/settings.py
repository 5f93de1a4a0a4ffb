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


def add_settings(text: str) -> tuple[str, list[str]]:
    """Return a configuration with what codeout needs, and the lines that were added.

    Raises:
        ValueError: a list in it is not written with one item a line; the message says what to add by hand.
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
    names = {match[2] for match in items if match[1] == indent}
    missing = [item for name, item in wanted.items() if name not in names]
    if not missing:
        return text, []
    if not is_list:
        raise ValueError(f"`{key}` is not a list with one item a line; add {', '.join(missing)} to it by hand")
    added = [f"{indent}- {item}" for item in missing]
    return "\n".join([*lines[:end], *added, *lines[end:]]), added
