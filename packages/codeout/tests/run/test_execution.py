"""Resuming from a checkpoint: what is shown always equals a run from the first block."""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from codeout import Block, BlockError, Config, Engine, Run, Stream
from codeout.model.blocks import group_sessions
from codeout.run.live import LiveSessions
from codeout.run.process import KernelProcess
from codeout.run.session import RunningSession
from helpers import block

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="checkpoints need fork, and Linux")

Counted = Callable[[str, str], str]
COUNT = "import time as _time\nopen(f'{log}/{{_time.time_ns()}} {name}', 'x').close()\n"  # a file each: none is shared


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(Config.from_options({"root": tmp_path, "sandbox": True, "checkpoints": True, "timeout": 30}))
    yield engine
    engine.close()


def blocks(*codes: str) -> list[Block]:
    return [block(code, line=1 + 20 * number) for number, code in enumerate(codes)]


def texts(runs: list[Run]) -> list[str]:
    return ["".join(o.text for o in run.outputs if isinstance(o, Stream)) for run in runs]


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    """Return a function that makes code add a name to a log each time it runs."""
    (tmp_path / "log").mkdir()
    return lambda name, code: COUNT.format(log=str(tmp_path / "log"), name=name) + code


def ran(folder: Path) -> str:
    """Return the names that counted code has added to the log."""
    return "".join(f"{path.name.split()[1]} " for path in sorted((folder / "log").iterdir()))


def test_an_edit_resumes_from_the_block_above_it(engine: Engine, tmp_path: Path, counted: Counted) -> None:
    above = [counted("a", "x = [1]"), counted("b", "x.append(2)")]
    assert texts(engine.run(blocks(*above, "x.append(3); print(x)"))) == ["", "", "[1, 2, 3]\n"]
    assert texts(engine.run(blocks(*above, "x.append(4); print(x)"))) == ["", "", "[1, 2, 4]\n"]
    assert texts(engine.run(blocks(*above, "x.append(5); print(x)", "print(len(x))"))) == ["", "", "[1, 2, 5]\n", "3\n"]
    assert ran(tmp_path) == "a b "
    assert texts(engine.run(blocks(above[0], counted("b", "x.append(9)"), "print(x)"))) == ["", "", "[1, 9]\n"]
    assert ran(tmp_path) == "a b b "


def test_files_are_what_they_were(engine: Engine) -> None:
    first = "import pathlib\nf = pathlib.Path('made.txt'); _ = f.write_text('one')"
    second = "f.write_text('two'); pathlib.Path('more.txt').touch();"
    look = "print(f.read_text(), sorted(p.name for p in pathlib.Path().glob('*.txt')))"
    engine.run(blocks(first, second))
    assert texts(engine.run(blocks(first, look)))[1] == "one ['made.txt']\n"


def test_hidden_files_in_a_block_s_own_folder_are_what_they_were(engine: Engine) -> None:
    first = "from pathlib import Path\nPath('d').mkdir(); f = Path('d/.hidden'); _ = f.write_text('one')"
    engine.run(blocks(first, "f.write_text('two');"))
    assert texts(engine.run(blocks(first, "print(f.read_text())")))[1] == "one\n"


def test_files_that_cannot_be_copied_cost_only_the_checkpoint(engine: Engine, tmp_path: Path, counted: Counted) -> None:
    above = counted("a", "import os\nos.mkfifo('pipe')")
    engine.run(blocks(above, "print(1)"))
    assert texts(engine.run(blocks(above, "print(2)")))[1] == "2\n"
    assert ran(tmp_path) == "a a "


def test_ipython_is_loaded_before_a_checkpoint_so_that_edits_need_not_wait_for_it(engine: Engine) -> None:
    code = "import sys\nprint('IPython.core.interactiveshell' in sys.modules)"
    assert texts(engine.run(blocks("x = 1", code)))[1] == "True\n"


def test_an_error_can_be_fixed_without_running_the_blocks_above(tmp_path: Path, counted: Counted) -> None:
    engine = Engine(Config.from_options({"root": tmp_path, "checkpoints": True, "errors": "show"}))
    above = counted("a", "x = 1")
    assert engine.run(blocks(above, "print(x / 0)"))[1].error is not None
    assert texts(engine.run(blocks(above, "print(x / 1)"))) == ["", "1.0\n"]
    assert ran(tmp_path) == "a "
    engine.close()


def test_a_process_with_threads_has_no_checkpoint_and_runs_again(
    engine: Engine, tmp_path: Path, counted: Counted
) -> None:
    above = counted("a", "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()")
    engine.run(blocks(above, "print(1)"))
    assert texts(engine.run(blocks(above, "print(2)")))[1] == "2\n"
    assert ran(tmp_path) == "a a "


def test_a_checkpoint_that_does_not_answer_is_given_up(engine: Engine, tmp_path: Path, counted: Counted) -> None:
    above = counted("a", "x = 1")
    engine.run(blocks(above, "print(x)"))
    (session,) = engine.sessions
    for pid in checkpoint_pids(session):
        os.kill(pid, signal.SIGKILL)
    assert texts(engine.run(blocks(above, "print(x + 1)")))[1] == "2\n"
    assert ran(tmp_path) == "a a "


def test_a_resumed_process_ends_at_the_next_edit(engine: Engine) -> None:
    engine.run(blocks("x = 1", "print(x)"))
    for number in range(2, 6):
        engine.run(blocks("x = 1", f"print({number})"))
    (session,) = engine.sessions
    deadline = time.monotonic() + 5
    while len(group(session)) > 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(group(session)) == 3, "two checkpoints, and the process that resumed last"


def kernel_of(session: RunningSession) -> KernelProcess:
    kernel = session._execution._process
    assert kernel is not None
    return kernel


def checkpoint_pids(session: RunningSession) -> frozenset[int]:
    return kernel_of(session).checkpoints.pids


def group(session: RunningSession) -> list[int]:
    """Return the processes of a session, its watcher left out."""
    kernel = kernel_of(session)
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError):  # it has ended meanwhile
            if running(process.pid) and os.getpgid(process.pid) == kernel._pid:
                found.append(process.pid)
    return found


def test_an_import_that_changed_is_run_again(tmp_path: Path) -> None:
    engine = Engine(Config.from_options({"root": tmp_path, "checkpoints": True, "paths": ["."]}))
    (tmp_path / "m.py").write_text("x = 1")
    engine.run(blocks("import m", "print(m.x)"))
    (tmp_path / "m.py").write_text("x = 2")
    assert texts(engine.run(blocks("import m", "print(m.x)")))[1] == "2\n"
    engine.close()


def test_nothing_is_left_when_the_engine_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    engine = Engine(Config.from_options({"root": tmp_path, "checkpoints": True}))
    engine.run(blocks("x = 1", "x = 2", "x = 3"))
    engine.run(blocks("x = 1", "x = 2", "x = 4"))
    (session,) = engine.sessions
    pids = checkpoint_pids(session)
    assert len(pids) >= 3
    engine.close()
    deadline = time.monotonic() + 10
    while any(running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if running(pid)]
    assert not list((tmp_path / "tmp").iterdir())


def test_what_a_resumed_process_has_left_behind_ends_with_it(tmp_path: Path) -> None:
    engine = Engine(Config.from_options({"root": tmp_path, "checkpoints": True, "timeout": 60}))
    engine.run([block("a = 1"), block("print(1)", line=11)])
    left = "import subprocess\nsubprocess.run(['sh', '-c', 'setsid sleep 78.25 & exit 0'])"
    engine.run([block("a = 1"), block(left, line=11)])
    engine.close()
    alive = [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "78.25"]]
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


def test_the_death_of_a_resumed_process_is_noticed_at_once(engine: Engine) -> None:
    engine.run(blocks("x = 1", "x = 2", "x = 3"))
    start = time.monotonic()
    with pytest.raises(BlockError, match="exited with code 3"):
        engine.run(blocks("x = 1", "x = 4", "import os; os._exit(3)"))
    assert time.monotonic() - start < 15, "the limit is 30 s, and a checkpoint of the process is still there"


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


LINES = (
    "n += {k}",
    "items.append({k})",
    "items[:] = items[-3:]",
    "print(n, items)",
    "print(random.random(), end='|')",
    "random.seed({k})",
    "def f(): return n * {k}",
    "print(f())",
    "_ = open('f{k}.txt', 'w').write(str(n))",
    "print(sorted(p.name for p in Path().glob('*.txt')))",
    "import os; os.write(1, b'raw {k}\\n');",
    "print('err {k}', file=sys.stderr)",
    "items",
)
START = "import random, sys\nfrom pathlib import Path\nrandom.seed(0)\nn, items = 0, []\ndef f(): return n"


@pytest.mark.parametrize("seed", range(3))
def test_what_is_shown_equals_a_run_from_the_first_block(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    codes = [START, *(some_code(chance) for _ in range(5))]
    engine = Engine(Config.from_options({"root": tmp_path / "edited", "sandbox": True, "checkpoints": True}))
    for edit in range(8):
        shown = [run.outputs for run in engine.run(blocks(*codes))]
        clean = Engine(Config.from_options({"root": tmp_path / f"clean-{edit}", "sandbox": True})).run(blocks(*codes))
        assert shown == [run.outputs for run in clean], codes
        edit_at_random(codes, chance)
    engine.close()


def some_code(chance: random.Random) -> str:
    return "\n".join(chance.choice(LINES).format(k=chance.randrange(9)) for _ in range(chance.randrange(1, 5)))


def edit_at_random(codes: list[str], chance: random.Random) -> None:
    at = chance.randrange(1, len(codes) + 1)
    what = chance.choice(("change", "change", "insert", "remove")) if at < len(codes) else "insert"
    if what == "remove" and len(codes) > 3:
        del codes[at]
    else:
        codes[at : at + (what == "change")] = [some_code(chance)]


@pytest.mark.parametrize("seed", range(3))
def test_edits_while_a_session_runs_end_in_what_a_clean_run_shows(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    pause = "import time; time.sleep(0.1)\n"
    codes = [START, *(pause + some_code(chance) for _ in range(5))]
    live = LiveSessions(
        Config.from_options({"root": tmp_path / "edited", "sandbox": True, "checkpoints": True, "errors": "show"})
    )
    for edit in range(4):
        for _ in range(4):  # an author does not wait
            live.states(group_sessions(blocks(*codes)))
            time.sleep(chance.random() / 2)
            edit_at_random(codes, chance)
        deadline = time.monotonic() + 30
        while None in (runs := shown_runs(live, codes)) and time.monotonic() < deadline:
            time.sleep(0.05)
        clean = Engine(Config.from_options({"root": tmp_path / f"clean-{edit}", "sandbox": True})).run(blocks(*codes))
        assert [run and run.outputs for run in runs] == [run.outputs for run in clean], codes
    live.close()


def shown_runs(live: LiveSessions, codes: list[str]) -> list[Run | None]:
    return [state.run for state in live.states(group_sessions(blocks(*codes))).values()]
