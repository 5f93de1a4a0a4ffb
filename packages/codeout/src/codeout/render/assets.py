"""The style and the script that a page with outputs brings along, so that it looks right on any theme."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def page_assets(*, has_outputs: bool, has_sweeps: bool) -> str:
    """Return the style of outputs, and what sweeps need besides; empty for a page without either.

    Args:
        has_outputs: whether the page has outputs.
        has_sweeps: whether it has a swept block.
    """
    style = (_read("outputs.css") if has_outputs else "") + (_read("sweep.css") if has_sweeps else "")
    script = f"<script>{_read('sweep.js')}</script>" if has_sweeps else ""
    return f"<style>{style}</style>{script}" if style else ""


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf8")
