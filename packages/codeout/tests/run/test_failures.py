"""Blocks that raise, hang, die or leave processes behind: one message, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from codeout import BlockError, Error, Run, Stream
from codeout.model.blocks import Place
from codeout.run.process import KernelProcess
from helpers import block, kernels, linux, posix, printed_text

Runner = Callable[..., list[Run]]


WRITE_TO_PIPES = """
import os, stat
for number in range(3, 30):
    try:
        if stat.S_ISFIFO(os.fstat(number).st_mode):
            os.write(number, {line})
    except OSError:
        pass
"""


def until(true: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(autouse=True)
def _alone() -> None:
    """Wait for the kernels of other tests, which may take a moment to end after a failure."""
    assert until(lambda: not kernels())


def test_an_exception_in_a_representation_is_an_error(run: Runner) -> None:
    with pytest.raises(BlockError, match=r"^docs/page\.md:3: ZeroDivisionError"):
        run("class A:\n    def _repr_html_(self): return 1 / 0\nA()")
    with pytest.raises(BlockError, match="frac"):
        run("import matplotlib.pyplot as plt\n_ = plt.title(r'$\\frac{$')")


def test_an_exception_whose_message_raises_is_reported(run: Runner) -> None:
    with pytest.raises(BlockError, match=r"E: \(its __str__ raised ZeroDivisionError\)"):
        run("class E(Exception):\n    def __str__(self): return str(1 / 0)\nraise E")


def test_exit_is_reported_as_system_exit(run: Runner) -> None:
    with pytest.raises(BlockError, match="SystemExit: 3"):
        run("exit(3)")


def test_an_expected_exception_may_be_named_by_its_base_class(run: Runner) -> None:
    assert run(block("{}['a']", raises="LookupError"))[0].error is not None


def test_the_message_about_a_kernel_that_died_ends_with_its_last_output(run: Runner) -> None:
    with pytest.raises(BlockError, match=r"exited with code 3; last output:\n(.|\n)*nearly there"):
        run("import os\nprint('nearly there')\nos._exit(3)")


@posix
def test_a_process_that_left_the_process_group_ends_with_its_session(run: Runner) -> None:
    code = "import subprocess\nprint(subprocess.Popen(['sleep', '100'], start_new_session=True).pid)"
    pid = int(printed_text(run(code)[0]))
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@posix
@pytest.mark.parametrize("end", ["os._exit(3)", "print('done')"])
def test_an_orphaned_process_ends_with_its_session(run: Runner, end: str) -> None:
    seconds = f"77.{os.getpid()}"  # no other test run looks for it
    code = f"import os, subprocess\nsubprocess.run(['sh', '-c', 'setsid sleep {seconds} & exit 0'])\n{end}"
    try:
        run(code)
    except BlockError:
        assert "_exit" in end
    alive = [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", seconds]]
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


@posix
@pytest.mark.parametrize("line", ["garbage", '{"foo": 1}', '{"event": "done", "seconds": 1}', "[]"])
def test_a_block_that_writes_to_the_pipe_of_its_kernel_is_an_error(run: Runner, line: str) -> None:
    code = WRITE_TO_PIPES.format(line=f"{line}\n".encode())
    with pytest.raises(BlockError, match=r"^docs/page\.md:\d: the kernel sent an invalid message \(.*\): "):
        run(code)
    assert not kernels()


@posix
def test_a_line_on_the_pipe_of_a_kernel_that_does_not_end_is_an_error(run: Runner) -> None:
    code = WRITE_TO_PIPES.format(line="b'x' * 51_000_000") + "import time; time.sleep(60)"
    with pytest.raises(BlockError, match=r"^docs/page\.md:\d: an output is larger than 50 MB; reduce it$"):
        run(code)
    assert not kernels()


@posix
def test_a_block_that_closes_the_pipe_of_its_kernel_and_goes_on_is_an_error(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codeout.run.process.EXIT_TIME", 0.5)
    with pytest.raises(BlockError, match="the kernel closed its connection to the build"):
        run("import os, time\nos.closerange(3, 100)\ntime.sleep(60)")
    assert not kernels()


@posix
@pytest.mark.parametrize("way", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
@pytest.mark.parametrize("started", ["a child", pytest.param("a detached child", marks=linux)])
def test_a_build_that_is_interrupted_ends_soon_and_leaves_nothing(tmp_path: Path, way: str, started: str) -> None:
    (tmp_path / "tmp").mkdir()
    seconds = f"79.{os.getpid()}"  # no other test run looks for it
    build = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from codeout import Config, Engine
from helpers import block
code = "import subprocess; subprocess.run(['sleep', '{seconds}'], start_new_session={"detached" in started})"
Engine(Config.from_options({{"root": {str(tmp_path)!r}}})).run([block(code)])
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    process = subprocess.Popen([sys.executable, "-c", build], env=environment, stderr=subprocess.DEVNULL)

    def sleepers() -> list[psutil.Process]:
        return [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", seconds]]

    assert until(lambda: bool(sleepers()))
    process.send_signal(signal.Signals[way])
    process.wait(10)
    assert until(lambda: not sleepers() and not kernels(process.pid) and not list((tmp_path / "tmp").iterdir()))


@linux
def test_what_prepares_data_ends_with_a_build_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "prepare.py").write_text("import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(100)")
    build = f"""
from codeout import Config
from codeout.run.prepare import Preparation
preparation = Preparation(Config.from_options({{"root": {str(tmp_path)!r}, "prepare": "prepare.py"}}))
preparation.start()
import time; time.sleep(100)
"""
    process = subprocess.Popen([sys.executable, "-c", build])
    assert until(lambda: (tmp_path / "pid").is_file() and bool((tmp_path / "pid").read_text()))
    process.kill()
    process.wait(10)
    assert until(lambda: not psutil.pid_exists(int((tmp_path / "pid").read_text())))


@posix
def test_time_in_which_a_build_is_stopped_does_not_count(tmp_path: Path) -> None:
    build = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from codeout import Config, Engine
from helpers import block
engine = Engine(Config.from_options({{"root": {str(tmp_path)!r}}}))
(run,) = engine.run([block("import time; open('{tmp_path / "begun"}', 'w').close(); time.sleep(1)", timeout=3.0)])
print(run.outputs)
"""
    process = subprocess.Popen([sys.executable, "-c", build], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert until((tmp_path / "begun").exists)
    process.send_signal(signal.SIGSTOP)
    time.sleep(6)
    process.send_signal(signal.SIGCONT)
    printed, problems = process.communicate(timeout=20)
    assert printed == "()\n", problems


def test_a_time_limit_names_the_first_and_the_last_that_was_printed(run: Runner) -> None:
    code = "import time\nprint('first')\nprint('.' * 3000)\nprint('last', flush=True)\ntime.sleep(60)"
    with pytest.raises(BlockError) as caught:
        run(block(code, timeout=1.0))
    message = str(caught.value)
    assert "; first output:\nfirst\n" in message
    assert "\nlast\n" in message
    assert "kernel" not in message.replace("the kernel", "")
    assert 'File "docs/page.md", line 6' in message


def test_an_exception_names_page_and_line_and_shows_only_the_author_s_frames(run: Runner) -> None:
    with pytest.raises(BlockError) as caught:
        run("def f():\n    return 1 / 0\n\nf()")
    message = str(caught.value)
    assert message.startswith("docs/page.md:3: ZeroDivisionError: division by zero\nTraceback")
    assert "codeout" not in message
    assert "    return 1 / 0" in message


def test_an_exception_in_a_snippet_also_names_the_snippet_s_line(run: Runner) -> None:
    with pytest.raises(BlockError, match=r"^docs/page\.md:1 \(snippets/s\.py:41\): NameError: "):
        run(replace(block("x = 1\nundefined"), origin=Place("snippets/s.py", 40)))


def test_a_syntax_error_names_its_line(run: Runner) -> None:
    with pytest.raises(BlockError, match=r"^docs/page\.md:3: SyntaxError: "):
        run("x = 1\ny = = 2")


def test_every_failing_session_is_reported(run: Runner) -> None:
    with pytest.raises(BlockError) as caught:
        run(block("1 / 0", session="a"), block("undefined", session="b", line=9))
    assert "ZeroDivisionError" in str(caught.value)
    assert "NameError" in str(caught.value)


def test_a_failure_is_not_cached(run: Runner, tmp_path: Path) -> None:
    code = f"import pathlib\nassert pathlib.Path({str(tmp_path / 'flag')!r}).exists()\nprint('fine')"
    with pytest.raises(BlockError, match="AssertionError"):
        run(code)
    (tmp_path / "flag").touch()
    assert printed_text(run(code)[0]) == "fine\n"


def test_an_expected_exception_is_an_output_and_its_absence_an_error(run: Runner) -> None:
    (result, after) = run(block("x = 1\nint('a')", raises="ValueError"), "print(x)")
    assert result.error is not None and result.error.type == "ValueError"
    assert printed_text(after) == "1\n"
    with pytest.raises(BlockError, match="no exception was raised; the page expects ValueError"):
        run(block("int('1')", raises="ValueError"))
    with pytest.raises(BlockError, match=r"KeyError: 'a' \(the page expects ValueError\)"):
        run(block("{}['a']", raises="ValueError"))


def test_errors_can_be_shown_in_place_with_the_outputs_before_them(run: Runner) -> None:
    first, second, third = run("print(1)", "print(2)\n1 / 0", "print(3)", errors="show")
    assert printed_text(first) == "1\n"
    assert [type(output) for output in second.outputs] == [Stream, Error]
    assert third.error is not None and "did not run" in third.error.message.lower()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param(
            "import os\nprint('last', flush=True)\nos._exit(3)", "the kernel exited with code 3", id="os._exit"
        ),
        pytest.param(
            "import ctypes\nctypes.string_at(0)",
            "the kernel was killed by SIGSEGV",
            marks=posix,
            id="segmentation fault",
        ),
        pytest.param(
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            r"the kernel was killed by SIGKILL \(out of memory\?\)",
            marks=posix,
            id="killed",
        ),
        pytest.param(
            "import os\nos.kill(os.getpid(), 40)",
            "the kernel was killed by signal 40",
            marks=linux,
            id="real-time signal",
        ),
        pytest.param("import sys\nsys.exit('enough')", "SystemExit: enough", id="sys.exit"),
        pytest.param("input('name? ')", "EOFError", id="input"),
        pytest.param(
            "import time\nwhile True: time.sleep(0.1)",
            r'took longer than 1 s(.|\n)*"docs/page\.md", line 3',
            id="hang",
        ),
        pytest.param("while True: print('spam')", "took longer than 1 s", id="endless output"),
    ],
)
def test_a_block_that_hangs_or_dies_is_one_message_and_leaves_nothing(run: Runner, code: str, message: str) -> None:
    with pytest.raises(BlockError, match=r"^docs/page\.md:[123]: ") as caught:
        run(code, timeout=1)
    assert caught.match(message)
    assert not kernels()


def test_a_failure_is_raised_once_the_processes_of_all_sessions_have_ended(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = KernelProcess.close

    def close_late(kernel: KernelProcess) -> None:
        time.sleep(1)
        close(kernel)

    monkeypatch.setattr(KernelProcess, "close", close_late)
    with pytest.raises(BlockError, match="no"):
        run(block("raise ValueError('no')"), block("x = 1", session="other", line=11))
    assert not kernels()


def test_child_processes_and_threads_end_with_their_session(run: Runner) -> None:
    code = """
import subprocess, threading, time
p = subprocess.Popen(["sleep", "100"])
threading.Thread(target=time.sleep, args=(100,)).start()
print(p.pid)
"""
    started = time.monotonic()
    pid = int(printed_text(run(code)[0]))
    assert time.monotonic() - started < 20
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
