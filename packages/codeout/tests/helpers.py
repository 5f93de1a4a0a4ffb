"""Helpers shared by the tests of the engine: small blocks, pages and sites."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from codeout import Block
from codeout.model.blocks import Place

PACKAGE = Path(__file__).resolve().parent.parent
posix = pytest.mark.skipif(sys.platform == "win32", reason="forks, signals, pipes, and links that anybody may make")


def block(code: str, session: str = "s", line: int = 1, **options: object) -> Block:
    """Return a block as a page would have it."""
    return Block(Place("docs/page.md", line), session, code, Place("docs/page.md", line + 1), **options)  # type: ignore[arg-type]
