"""Helpers shared by the tests of the site."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parent.parent
UNFINISHED = ".new-*"
"""Files and folders that a build, which another test may have started, moves into place when they are whole."""
posix = pytest.mark.skipif(sys.platform == "win32", reason="forks, signals, pipes, and links that anybody may make")


@cache  # a page takes up to a second, and has a hundred tests
def parse(page: Path) -> BeautifulSoup:
    """Return a built page, which a test must not change."""
    return BeautifulSoup(page.read_text(encoding="utf8"), "html.parser")


def data_kind(name: str) -> str:
    """Return what the site's data is: `original`, `mirror` or `placeholder`.

    Args:
        name: `cifar10` or `resnet18`.
    """
    return str(json.loads((ROOT / "data" / f"{name}.json").read_text(encoding="utf8"))["kind"])
