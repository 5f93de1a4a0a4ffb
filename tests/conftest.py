"""What the tests share: small pages, a store of their own, and the site itself, built once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from site_helpers import ROOT


@pytest.fixture(scope="session")
def placeholders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout of the snippets whose data are placeholders."""
    folder = tmp_path_factory.mktemp("placeholders")
    shutil.copytree(ROOT / "snippets", folder / "snippets", ignore=shutil.ignore_patterns("__pycache__"))
    only = {**os.environ, "TUTORIAL_PLACEHOLDERS": "only"}
    subprocess.run([sys.executable, "snippets/support/data.py"], cwd=folder, env=only, check=True)
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of this repository's own site, built strictly; what its store has is not run again."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)], cwd=ROOT, check=True
    )
    return folder


LISTS = {"row": "rows", "picture": "pictures", "diagram": "diagrams"}  # argument of a test: attribute of its class


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each row, picture and diagram of a page (`page_tests.PageTests`)."""
    for argument, name in LISTS.items():
        if argument in metafunc.fixturenames and metafunc.cls:
            metafunc.parametrize(argument, list(getattr(metafunc.cls, name)))
