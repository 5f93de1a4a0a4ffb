"""What the tests share: small pages, a store of their own, and the site itself, built once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codeout import Block, Config, Engine, Run
from codeout.blocks import Place

ROOT = Path(__file__).resolve().parent.parent
posix = pytest.mark.skipif(sys.platform == "win32", reason="forks, signals, pipes, and links that anybody may make")


def block(code: str, session: str = "s", line: int = 1, **options: object) -> Block:
    """Return a block as a page would have it."""
    return Block(Place("docs/page.md", line), session, code, Place("docs/page.md", line + 1), **options)  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., list[Run]]:
    """Return what runs codes as the blocks of one session, in an engine whose root is `tmp_path`."""

    def run(*codes: str | Block, **settings: object) -> list[Run]:
        blocks = [c if isinstance(c, Block) else block(c, line=1 + 10 * i) for i, c in enumerate(codes)]
        return Engine(Config.of({"root": tmp_path, "timeout": 60, **settings})).run(blocks)

    return run


@pytest.fixture(scope="session")
def standins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout of the snippets whose data are stand-ins."""
    folder = tmp_path_factory.mktemp("standins")
    shutil.copytree(ROOT / "snippets", folder / "snippets", ignore=shutil.ignore_patterns("__pycache__"))
    only = {**os.environ, "TUTORIAL_STANDINS": "only"}
    subprocess.run([sys.executable, "snippets/data.py"], cwd=folder, env=only, check=True)
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
