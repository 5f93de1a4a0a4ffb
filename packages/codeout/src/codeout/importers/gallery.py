"""Read the scripts of sphinx-gallery: a docstring with a title, and comments in reStructuredText between the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from codeout.errors import PageError
from codeout.importers.cells import Cell, CodeCell, TextCell
from codeout.importers.restructured import to_markdown

SEPARATOR = re.compile(r"^#(\s*%%.*|#{19,}\s*)$")
"""The line above a text: `# %%`, or at least twenty number signs."""
TITLE = re.compile(r"^([=\-~#*^]{3,})?\s*\n?[^\n]+\n[=\-~#*^]{3,}\s*$", re.MULTILINE)


def is_gallery_script(text: str) -> bool:
    """Return whether a script begins with a docstring that has a title, as sphinx-gallery demands."""
    try:
        docstring = ast.get_docstring(ast.parse(text))
    except SyntaxError:
        return False
    return bool(docstring and TITLE.search(docstring))


def read_gallery_script(path: Path) -> list[Cell]:
    """Return the cells of a script.

    Raises:
        PageError: it is not valid Python.
    """
    text = path.read_text(encoding="utf8")
    try:
        tree = ast.parse(text)
    except SyntaxError as problem:
        raise PageError(f"{path}:{problem.lineno or 1}: not valid Python: {problem.msg}") from problem
    lines, cells, levels = text.split("\n"), list[Cell](), list[str]()
    first = tree.body[0] if tree.body else None
    start = 0
    if isinstance(first, ast.Expr) and (docstring := ast.get_docstring(tree)) is not None:
        cells.append(TextCell(to_markdown(docstring, levels)))
        start = first.end_lineno or 0
    code: list[str] = []
    number = start
    while number < len(lines):
        if not SEPARATOR.match(lines[number]):
            code.append(lines[number])
            number += 1
            continue
        _add_code(cells, code)
        heading = lines[number].partition("%%")[2].strip()
        text_lines = [heading, "-" * len(heading), ""] if heading else []
        number += 1
        while number < len(lines) and lines[number].startswith("#") and not SEPARATOR.match(lines[number]):
            text_lines.append(lines[number].removeprefix("#").removeprefix(" "))
            number += 1
        if any(text_lines):
            cells.append(TextCell(to_markdown("\n".join(text_lines), levels)))
    _add_code(cells, code)
    return cells


def _add_code(cells: list[Cell], lines: list[str]) -> None:
    if text := "\n".join(lines).strip("\n"):
        cells.append(CodeCell(text))
    lines.clear()
