"""Read notebooks (`.ipynb`) and percent scripts (`# %%`)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codeout.errors import PageError
from codeout.importers.cells import Cell, CodeCell, TextCell


def read_notebook(path: Path) -> list[Cell]:
    """Return the cells of a notebook, of any version of the format.

    Raises:
        PageError: it is not a notebook, or nbformat is not installed.
    """
    try:
        import nbformat
    except ModuleNotFoundError as problem:
        raise PageError(f"{path}:1: notebooks need nbformat: `pip install 'codeout[import]'`") from problem
    try:
        notebook = nbformat.read(path, as_version=4)
    except (ValueError, KeyError, AttributeError, nbformat.ValidationError) as problem:
        raise PageError(f"{path}:1: not a notebook: {str(problem).partition(chr(10))[0]}") from problem
    return list(_cells(notebook.cells))


def read_percent_script(path: Path) -> list[Cell]:
    """Return the cells of a script with `# %%` between them.

    Raises:
        PageError: jupytext is not installed.
    """
    try:
        import jupytext
    except ModuleNotFoundError as problem:
        raise PageError(f"{path}:1: scripts need jupytext: `pip install 'codeout[import]'`") from problem
    return list(_cells(jupytext.read(path, fmt="py:percent").cells))


def _cells(cells: list[Any]) -> Iterator[Cell]:
    for cell in cells:
        source = str(cell.source).strip("\n")
        if cell.cell_type == "code":
            errors = (output.ename for output in cell.get("outputs", ()) if output.output_type == "error")
            yield CodeCell(source, frozenset(cell.metadata.get("tags", ())), next(errors, ""))
        elif cell.cell_type == "markdown":
            yield TextCell(source, dict(_attachments(cell.get("attachments", {}))))


def _attachments(attachments: Any) -> Iterator[tuple[str, bytes]]:
    for name, bundle in attachments.items():
        for data in bundle.values():
            try:
                yield name, base64.b64decode(data)
            except binascii.Error:  # the picture is lost; the link to it will say so
                continue
