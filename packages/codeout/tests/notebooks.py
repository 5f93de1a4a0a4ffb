"""Small notebooks to import."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def code(source: str, *, tags: tuple[str, ...] = (), **error: str) -> dict[str, Any]:
    """Return a cell of code, perhaps one that has raised an exception."""
    outputs = [{"output_type": "error", "evalue": "", "traceback": [], **error}] if error else []
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": "code", "execution_count": 1, "metadata": metadata, "outputs": outputs, "source": source}


def text(source: str, **more: object) -> dict[str, Any]:
    """Return a cell of text."""
    return {"cell_type": "markdown", "metadata": {}, "source": source, **more}


def attached(name: str, content: bytes = PNG) -> dict[str, Any]:
    """Return the attachments of a cell with one picture."""
    return {name: {"image/png": base64.b64encode(content).decode()}}


def notebook(path: Path, *cells: dict[str, Any], minor: int = 4) -> Path:
    """Write a notebook."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": minor}))
    return path
