"""Fixtures shared by the tests of the site: the built site, and a checkout with placeholder data."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from browser_fixtures import address, browser, visit
from site_helpers import ROOT
from workers import make_once

__all__ = ["address", "browser", "visit"]  # fixtures

MARKERS = {"site": "pages", "browser": "browser"}  # by the fixture that a test needs
LISTS = {"row": "rows", "picture": "pictures", "diagram": "diagrams"}  # argument of a test: attribute of its class


@pytest.fixture(scope="session")
def placeholders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the snippets with placeholder data; tests of this process may write into it."""

    def fill(folder: Path) -> None:
        shutil.copytree(ROOT / "snippets", folder / "snippets", ignore=shutil.ignore_patterns("__pycache__"))
        only = {**os.environ, "TUTORIAL_PLACEHOLDERS": "only"}
        subprocess.run([sys.executable, "snippets/support/data.py"], cwd=folder, env=only, check=True)

    made = make_once(tmp_path_factory, "placeholders", fill)
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("placeholders") / "copy"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of this repository's site, built strictly; cached runs are not repeated."""
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir"]
    return make_once(
        tmp_path_factory, "tutorial", lambda folder: subprocess.run([*build, str(folder)], cwd=ROOT, check=True)
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they need, so that `pytest -m pages` runs those that look at the built site."""
    for item in items:
        for fixture in MARKERS.keys() & {*getattr(item, "fixturenames", ())}:
            item.add_marker(MARKERS[fixture])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each row, picture and diagram of a page (`page_tests`)."""
    for argument, name in LISTS.items():
        if argument in metafunc.fixturenames and metafunc.cls:
            metafunc.parametrize(argument, list(getattr(metafunc.cls, name)))
