"""Sessions on a GPU take turns; sessions that measure time run alone; all others run side by side."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from codeout import Config
from codeout.cache import environment
from codeout.run.scheduler import Scheduler
from helpers import block


def most_at_once(tmp_path: Path, sessions: list[str], **settings: object) -> tuple[int, set[frozenset[str]]]:
    """Return how many sessions ran at once at most, and which ran beside each other."""
    turns = Scheduler(Config.from_options({"root": tmp_path, **settings}))
    running: list[str] = []
    beside: set[frozenset[str]] = set()
    most = 0

    def go(name: str) -> None:
        nonlocal most
        with turns.take([block("", session=name)]):
            running.append(name)
            most = max(most, len(running))
            time.sleep(0.05)
            beside.add(frozenset(running))
            running.remove(name)

    threads = [threading.Thread(target=go, args=(name,)) for name in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return most, beside


def test_sessions_run_side_by_side(tmp_path: Path) -> None:
    assert most_at_once(tmp_path, ["a", "b", "c"])[0] == 3


def test_a_session_that_measures_time_runs_alone(tmp_path: Path) -> None:
    _, beside = most_at_once(tmp_path, ["a", "timing", "b", "c"], exclusive=["timing"])
    assert [each for each in beside if "timing" in each] == [frozenset({"timing"})]


def test_sessions_on_a_gpu_take_turns_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert most_at_once(tmp_path, ["train_1", "train_2"], gpu=["train_*"])[0] == 2
    monkeypatch.setattr(environment, "device", lambda: "NVIDIA T4")
    assert most_at_once(tmp_path, ["train_1", "train_2"], gpu=["train_*"])[0] == 1
    assert most_at_once(tmp_path, ["train_1", "other"], gpu=["train_*"])[0] == 2
