"""Shared by the tests of the engine: blocks, and an engine with a cache of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from codeout import Block, Config, Engine, Run
from helpers import block


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., list[Run]]:
    """Return what runs codes as the blocks of one session, in an engine whose root is `tmp_path`."""

    def run(*codes: str | Block, **settings: object) -> list[Run]:
        blocks = [c if isinstance(c, Block) else block(c, line=1 + 10 * i) for i, c in enumerate(codes)]
        return Engine(Config.from_options({"root": tmp_path, "timeout": 60, **settings})).run(blocks)

    return run
