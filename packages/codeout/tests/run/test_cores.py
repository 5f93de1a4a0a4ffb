"""GPU sessions run one after another, exclusive sessions by themselves, all others in parallel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from codeout import Config
from codeout.cache import environment
from codeout.model.blocks import Place, group_sessions
from codeout.run.cores import Cores
from helpers import block
from servers import until


def run_sessions(tmp_path: Path, names: list[str], **settings: object) -> tuple[int, set[frozenset[str]]]:
    """Run sessions in threads; return how many ran at once at most, and which ones were running together."""
    cores = Cores(Config.from_options({"root": tmp_path, "jobs": 4, **settings}))
    running: list[str] = []
    together: set[frozenset[str]] = set()
    most = 0

    def run_session(name: str) -> None:
        nonlocal most
        with cores.hold(group_sessions([block("", session=name)])[0]):
            running.append(name)
            most = max(most, len(running))
            time.sleep(0.05)
            together.add(frozenset(running))
            running.remove(name)

    threads = [threading.Thread(target=run_session, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return most, together


def test_ordinary_sessions_run_in_parallel(tmp_path: Path) -> None:
    assert run_sessions(tmp_path, ["a", "b", "c"])[0] == 3


def test_an_exclusive_session_runs_by_itself(tmp_path: Path) -> None:
    _, together = run_sessions(tmp_path, ["a", "timing", "b", "c"], exclusive=["timing"])
    assert [names for names in together if "timing" in names] == [frozenset({"timing"})]


def test_gpu_sessions_run_one_after_another_if_there_is_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_sessions(tmp_path, ["train_1", "train_2"], gpu=["train_*"])[0] == 2
    monkeypatch.setattr(environment, "detect_device", lambda: "NVIDIA T4")
    assert run_sessions(tmp_path, ["train_1", "train_2"], gpu=["train_*"])[0] == 1
    assert run_sessions(tmp_path, ["train_1", "other"], gpu=["train_*"])[0] == 2


def test_no_more_sessions_run_at_once_than_there_are_cores(tmp_path: Path) -> None:
    assert run_sessions(tmp_path, ["a", "b", "c", "d"], jobs=2)[0] == 2


def test_whoever_comes_first_by_rank_gets_the_next_core(tmp_path: Path) -> None:
    cores = Cores(Config.from_options({"root": tmp_path, "jobs": 1}))
    (session,) = group_sessions([block("")])
    order: list[float] = []

    def wait(rank: float) -> None:
        with cores.hold(session, (rank,)):
            order.append(rank)

    ranks = (3.0, 1.0, 2.0)
    with cores.hold(session):
        threads = [threading.Thread(target=wait, args=(rank,)) for rank in ranks]
        for thread in threads:
            thread.start()
        until(lambda: len(cores._waiting) == len(ranks))
    for thread in threads:
        thread.join()
    assert order == [1.0, 2.0, 3.0]


def hold_in_turn(cores: Cores, pages: dict[str, float], before: Callable[[], None] = lambda: None) -> list[str]:
    """Let sessions of pages, with their ranks, wait while another one holds a core; return in which order they run."""
    order: list[str] = []

    def wait(page: str, rank: float) -> None:
        with cores.hold(group_sessions([msgspec.structs.replace(block(""), place=Place(page, 1))])[0], (rank,)):
            order.append(page)

    with cores.hold(group_sessions([block("")])[0]):
        threads = [threading.Thread(target=wait, args=item) for item in pages.items()]
        for thread in threads:
            thread.start()
        until(lambda: len(cores._waiting) + len(order) == len(pages))
        before()
    for thread in threads:
        thread.join()
    return order


def test_what_somebody_looks_at_comes_first(tmp_path: Path) -> None:
    cores = Cores(Config.from_options({"root": tmp_path, "jobs": 1}))
    cores.prefer("b.md")
    assert hold_in_turn(cores, {"a.md": 1.0, "b.md": 3.0, "c.md": 2.0}) == ["b.md", "a.md", "c.md"]


def test_what_somebody_looks_at_does_not_wait_for_what_nobody_does(tmp_path: Path) -> None:
    cores = Cores(Config.from_options({"root": tmp_path, "jobs": 1}))
    (session,) = group_sessions([block("")])
    other = group_sessions([msgspec.structs.replace(block(""), place=Place("seen.md", 1))])[0]
    cores.prefer("seen.md")
    with cores.hold(session), cores.hold(other):
        assert len(cores._running) == 2


def test_a_case_takes_a_core_that_no_session_needs(tmp_path: Path) -> None:
    cores = Cores(Config.from_options({"root": tmp_path, "jobs": 1}))
    (session,) = group_sessions([block("")])
    order: list[str] = []

    def borrow() -> None:
        with cores.borrow(session, lambda: True) as has_core:
            order.append(f"case {has_core}")

    case = threading.Thread(target=borrow)

    def begin() -> None:
        case.start()
        until(lambda: len(cores._waiting) == 2)

    pages = hold_in_turn(cores, {"a.md": 1.0}, begin)
    case.join()
    assert pages == ["a.md"]
    assert order == ["case True"]


def test_a_case_that_is_not_wanted_any_more_waits_for_no_core(tmp_path: Path) -> None:
    cores = Cores(Config.from_options({"root": tmp_path, "jobs": 1}))
    (session,) = group_sessions([block("")])
    wanted, answers = [True], []

    def borrow() -> None:
        with cores.borrow(session, lambda: bool(wanted)) as has_core:
            answers.append(has_core)

    with cores.hold(session):
        thread = threading.Thread(target=borrow)
        thread.start()
        until(lambda: len(cores._waiting) == 1)
        wanted.clear()
        cores.look_again()
        thread.join(5)
    assert answers == [False]
