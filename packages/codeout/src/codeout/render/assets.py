"""The style and the script that a page with outputs brings along, so that it looks right on any theme."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def page_assets(*, has_sweeps: bool) -> str:
    """Return the style of outputs, and what sweeps need besides.

    Args:
        has_sweeps: whether the page has a swept block.
    """
    style = _read("outputs.css") + (_read("sweep.css") if has_sweeps else "")
    return f"<style>{style}</style>" + (f"<script>{_read('sweep.js')}</script>" if has_sweeps else "")


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf8")
