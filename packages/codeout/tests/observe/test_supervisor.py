"""The supervisor: it survives what blocks do, nothing hangs if it does not, and where it cannot be, Python observes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import psutil
import pytest

from codeout import Config, Engine
from codeout.cache.lookup import Lookup
from codeout.cache.status import block_inputs, block_reasons
from codeout.observe.audit import VARIABLE
from helpers import PACKAGE, block, kernels, linux, printed_text

pytestmark = linux

OWN_FILTER = """
import ctypes
from codeout.observe.seccomp import ALLOW, RETURN, SET_MODE_FILTER, Instruction, Program, this_machine
program = Program(1, (Instruction * 1)(Instruction(RETURN, 0, 0, ALLOW)))
assert ctypes.CDLL(None).syscall(this_machine().seccomp, SET_MODE_FILTER, 0, ctypes.byref(program)) == 0
"""
HARD = {
    "two hundred children at once": (
        "import subprocess\nall = [subprocess.Popen(['cat', 'x'], stdout=-1) for _ in range(200)]\n"
        "print({p.communicate()[0] for p in all})"
    ),
    "children of children": "import os\nos.system('sh -c \"sh -c \\'sh -c cat\\' < x\"');",
    "a child without an environment": "import subprocess\nsubprocess.run(['cat', 'x'], env={});",
    "threads that read": (
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(20) as pool:\n"
        "    print({*pool.map(lambda _: open('x').read(), range(200))})"
    ),
    "a filter of the block's own": OWN_FILTER + "print(open('x').read())",
    "a working folder that is gone": (
        "import os\nhome = os.getcwd(); os.mkdir('d'); os.chdir('d'); os.rmdir('../d')\n"
        "try: open('y')\nexcept OSError: os.chdir(home); print(open('x').read())"
    ),
    "a path that is no text": (
        "import ctypes, errno\nc = ctypes.CDLL(None, use_errno=True)\nassert c.open(ctypes.c_void_p(8), 0) < 0\n"
        "print(ctypes.get_errno() == errno.EFAULT, open('x').read())"
    ),
    "signals while it reads": (
        "import signal\nfrom signal import ITIMER_REAL, setitimer\nsignal.signal(signal.SIGALRM, lambda *_: None)\n"
        "setitimer(ITIMER_REAL, 1e-4, 1e-4); print({open('x').read() for _ in range(500)}); setitimer(ITIMER_REAL, 0);"
    ),
    "a group that is signalled": (
        "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN); os.killpg(0, signal.SIGTERM)\n"
        "print(open('x').read())"
    ),
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(Config.from_options({"root": tmp_path, "timeout": 60}))
    yield engine
    engine.close()


@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in HARD.items()])
def test_what_is_read_is_known_whatever_a_block_does(engine: Engine, tmp_path: Path, code: str) -> None:
    (tmp_path / "x").write_text("1")
    (run,) = engine.run([block(code)])
    assert "1" in printed_text(run)
    assert "x" in {each.name for each in run.inputs if each.kind == "file"}


def test_a_supervisor_that_is_killed_hangs_no_block(engine: Engine) -> None:
    def kill() -> None:
        (kernel,) = kernels()
        os.kill(kernel.ppid(), signal.SIGKILL)

    timer = Timer(0.7, kill)
    timer.start()
    start = time.monotonic()
    with pytest.raises(Exception, match="the kernel"):
        engine.run([block("import time\nwhile True: open('/etc/hostname').close(); time.sleep(0.01)")])
    assert time.monotonic() - start < 30
    assert not kernels()


def test_a_build_that_is_killed_leaves_no_supervisor(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(PACKAGE / 'tests')!r})\nfrom codeout import Config, Engine\n"
        "from helpers import block\nfrom pathlib import Path\n"
        f"Engine(Config.from_options({{'root': Path({str(tmp_path)!r})}})).run([block('import time; time.sleep(60)')])"
    )
    build = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 30
    while not kernels(build.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    started = psutil.Process(build.pid).children(recursive=True)
    build.kill()
    build.wait()
    _, alive = psutil.wait_procs(started, timeout=10)
    assert started
    assert not alive


def test_where_no_supervisor_can_be_python_observes_and_the_run_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_text("1")
    blocks = [block("import os\nprint(open('x').read(), os.path.exists('y'), os.listdir('.'))")]
    seen = []
    for name in ("system", "python"):
        if name == "python":
            monkeypatch.setenv(VARIABLE, "1")
        config = Config.from_options({"root": tmp_path, "cache": f".cache-{name}"})
        engine = Engine(config)
        (run,) = engine.run(blocks)
        engine.close()
        assert run.provenance.observer == name
        seen.append({(each.kind, each.name) for each in run.inputs if each.kind in ("file", "missing", "folder")})
        (row,) = block_inputs(Lookup(config), blocks)
        assert ("observed: Python's own reads" in row.inputs) == (name == "python")
        (tmp_path / "x").write_text("2")
        (reasons,) = block_reasons(Lookup(config), blocks)
        assert reasons.why == ("x: content changed",)
        (tmp_path / "x").write_text("1")
    assert seen[0] == seen[1] == {("file", "x"), ("folder", "."), ("missing", ".")}
