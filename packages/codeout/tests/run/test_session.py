"""The owner of a running session: the newest target wins, whatever is set, cancelled or ended meanwhile."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codeout import Config, Engine, Run
from codeout.errors import CodeoutError
from codeout.model.blocks import Session, group_sessions
from codeout.run.session import RunningSession
from helpers import block, kernels, linux, printed_text
from servers import until

PAUSE = "import time; time.sleep(0.2)\n"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(Config.from_options({"root": tmp_path, "checkpoints": True, "errors": "show", "timeout": 60}))
    yield engine
    engine.close()


def sessions(*codes: str) -> list[Session]:
    return group_sessions([block(code, line=1 + 10 * number) for number, code in enumerate(codes)])


def aim(engine: Engine, *codes: str) -> RunningSession:
    """Have the session run these blocks; return its owner."""
    (running,) = engine.request(engine.load(sessions(*codes))).values()
    return running


def texts(runs: list[Run]) -> list[str]:
    return [printed_text(run).strip() for run in runs]


def test_the_newest_of_many_targets_is_reached(engine: Engine) -> None:
    for number in range(8):
        running = aim(engine, "x = 1", f"{PAUSE}print(x, {number})")
        time.sleep(random.random() / 4)
    assert texts(running.wait(2)) == ["", "1 7"]
    running.join()
    assert [step.run is not None for step in running.steps] == [True, True]


def test_targets_from_many_threads_leave_one_process(engine: Engine) -> None:
    threads = [threading.Thread(target=aim, args=(engine, "x = 1", f"{PAUSE}print({number})")) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running = aim(engine, "x = 1", "print('last')")
    assert texts(running.wait(2))[1] == "last"
    running.join()
    assert len({os.getpgid(kernel.pid) for kernel in kernels()}) == 1, "with its checkpoints, in one group"


def test_a_shorter_target_ends_what_runs_below_it(engine: Engine) -> None:
    aim(engine, "print(1)", "import time; time.sleep(60)")
    until(lambda: engine.sessions[0].steps)
    running = aim(engine, "print(1)")
    running.join()
    assert texts(running.wait(1)) == ["1"]
    assert len(running.steps) == 1


def test_a_cancelled_session_has_no_target_and_goes_on_from_its_checkpoint(engine: Engine, tmp_path: Path) -> None:
    first = f"open({str(tmp_path / 'log')!r}, 'a').write('x')\nx = 1"
    aim(engine, first, "print(x)").join()
    running = aim(engine, first, "import time; time.sleep(60)")
    until(lambda: len(running.steps) == 1)
    running.cancel()
    running.join()
    assert running.target is None and running.steps == ()
    assert texts(aim(engine, first, "print(x + 1)").wait(2))[1] == "2"
    assert (tmp_path / "log").read_text() == "x"


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.3, 1.0])
def test_whoever_waits_for_a_session_that_is_ended_is_told(engine: Engine, delay: float) -> None:
    running = aim(engine, "import time; time.sleep(60)")
    time.sleep(delay)
    running.end()
    with pytest.raises(CodeoutError, match=r"^docs/page\.md:1: not run: the build stopped$"):
        running.wait(1)
    running.join()
    until(lambda: not kernels())


def test_a_failure_is_kept_until_the_target_changes(engine: Engine, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'log')!r}, 'a').write('x'); 1 / 0"
    for _ in range(3):
        runs = aim(engine, code, "print(2)").wait(2)
        assert [run.error.type for run in runs if run.error] == ["ZeroDivisionError", "Skipped"]
    assert (tmp_path / "log").read_text() == "x"
    assert texts(aim(engine, "print(1)", "print(2)").wait(2)) == ["1", "2"]


@linux
@pytest.mark.parametrize("length", [90, 108, 150, 240])
def test_a_long_temporary_folder_stops_no_session(
    length: int, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("y" * max(length - len(str(tmp_path)), 1))
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    for number in range(2):
        assert texts(engine.run([block("x = 1"), block(f"print(x, {number})", line=11)])) == ["", f"1 {number}"]
    assert engine.sessions[0]._execution.was_resumed, "from a checkpoint, which connects as well"
