"""Fixtures shared by the tests of the engine: an engine with a cache of its own, and a small site that is built."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codeout import Block, Config, Engine, Run
from codeout.cache import environment, keys
from helpers import block
from small_sites import CONFIG, PAGE, SNIPPET, build, write_site
from workers import make_once

COVERAGE = "COVERAGE_PROCESS_CONFIG"  # how coverage tells a Python process to measure itself


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Let Ctrl-C reach what the tests start, even if they run in the background, where shells ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _measured_kernels() -> Iterator[None]:
    """Let kernels measure themselves if the tests are measured: their environment has no such variable otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        if COVERAGE in os.environ:
            patch.setattr(environment, "KEY_VARIABLES", (*keys.KEY_VARIABLES, COVERAGE))
        yield


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., list[Run]]:
    """Return what runs codes as the blocks of one session, in an engine whose root is `tmp_path`."""

    def run(*codes: str | Block, **settings: object) -> list[Run]:
        blocks = [c if isinstance(c, Block) else block(c, line=1 + 10 * i) for i, c in enumerate(codes)]
        return Engine(Config.from_options({"root": tmp_path, "timeout": 60, **settings})).run(blocks)

    return run


@pytest.fixture(scope="session")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small site with an overview, built once; tests change copies of it (`project`)."""

    def fill(folder: Path) -> None:
        files = {
            "mkdocs.yml": CONFIG,
            "docs/index.md": '# Home\n\n<div class="codeout-overview"></div>\n',
            "docs/first.md": PAGE,
            "snippets/first.py": SNIPPET.replace('print("x is", x)', 'print("cpu")'),
            "snippets/helper.py": "VALUE = 41\n",
        }
        assert build(write_site(folder, files), "--strict").returncode == 0

    return make_once(tmp_path_factory, "built_site", fill)


@pytest.fixture
def project(built_site: Path, tmp_path: Path) -> Path:
    """Return a copy of a small site that is built: the runs of this machine are in its cache."""
    return Path(shutil.copytree(built_site, tmp_path / "project"))
