"""Why a block is stale, and how a session resumes after an edit."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from codeout import Config
from codeout.cache.input_reader import InputReader
from codeout.cache.keys import Environment, File, KeyInputs
from codeout.cache.status import resume_mode, stale_reasons
from codeout.cache.store import Entry
from codeout.cache.timings import Timing
from codeout.model.inputs import Input

INPUTS = KeyInputs(
    environment=Environment(python="3.11", platform="Linux", device="CPU", packages=(), variables=()),
    session="docs/a.md s",
    settings=(),
    files=(File("prelude.py", "1"),),
    codes=("code",),
)
CHANGED = replace(INPUTS, files=(File("prelude.py", "2"),))
DATA = Input(kind="file", name="data.csv", digest="1")


@pytest.mark.parametrize(
    ("timing", "can_fork", "mode"),
    [
        pytest.param(None, True, "unknown: the session has not run here yet", id="never ran"),
        pytest.param(Timing(1.0, 2), True, "checkpoint: an edit resumes from the block above it", id="almost all"),
        pytest.param(
            Timing(1.0, 1, "CUDA is in use"),
            True,
            "replay: CUDA is in use after block 2; an edit below it reruns the session from block 2",
            id="threads",
        ),
        pytest.param(
            Timing(1.0, 0), False, "replay: an edit reruns the session, because checkpoints need Linux", id="no fork"
        ),
    ],
)
def test_three_blocks_resume_as_their_last_run_allows(timing: Timing | None, can_fork: bool, mode: str) -> None:
    assert resume_mode(3, timing, can_fork=can_fork) == mode


def test_a_session_of_one_block_always_resumes() -> None:
    assert resume_mode(1, Timing(1.0, 0), can_fork=False).startswith("checkpoint")


@pytest.mark.parametrize(
    ("old", "reasons"),
    [
        pytest.param(None, ("has not run yet",), id="new"),
        pytest.param(CHANGED, ("prelude.py changed", "data.csv is gone"), id="a file"),
        pytest.param(INPUTS, ("data.csv is gone",), id="not in the key"),
    ],
)
def test_a_stale_block_has_a_reason(tmp_path: Path, old: KeyInputs | None, reasons: tuple[str, ...]) -> None:
    now = InputReader(Config(root=tmp_path)).now()
    last = None
    if old:
        last = Entry(path=Path(), key=old.key, name="docs/a.md s 1", inputs=old, read=(DATA,), date="2026-01-01")
    assert stale_reasons(last, INPUTS, now) == reasons
