"""What blocks print, from Python, C code, threads and child processes."""

from __future__ import annotations

import io
from collections.abc import Callable
from threading import Thread
from typing import Any, TextIO

import pytest

from codeout import Run, Stream
from codeout.kernel import capture
from codeout.kernel.capture import CapturedStream, LineTurn
from helpers import posix, printed_text

Runner = Callable[..., list[Run]]


def channels(run: Run) -> list[tuple[str, str]]:
    return [(output.name, output.text) for output in run.outputs if isinstance(output, Stream)]


@pytest.mark.parametrize(
    ("code", "captured"),
    [
        pytest.param("print('a')", [("stdout", "a\n")], id="print"),
        pytest.param("import sys; _ = sys.stdout.write('a')", [("stdout", "a")], id="sys.stdout"),
        pytest.param(
            "import sys; _ = sys.stdout.buffer.write(b'caf\\xc3\\xa9')", [("stdout", "caf\u00e9")], id="bytes"
        ),
        pytest.param("import sys; _ = sys.stdout.buffer.write(b'\\xff!')", [("stdout", "\ufffd!")], id="no UTF-8"),
        pytest.param("import sys; print('a', file=sys.stderr)", [("stderr", "a\n")], id="stderr"),
        pytest.param("import logging; logging.warning('a')", [("stderr", "WARNING:root:a\n")], id="logging"),
        pytest.param("import os; _ = os.system('echo a')", [("stdout", "a\n")], id="a child process"),
        pytest.param("import os; _ = os.system('echo a >&2')", [("stderr", "a\n")], id="a child's stderr"),
        pytest.param("import os; _ = os.write(1, b'a')", [("stdout", "a")], id="the descriptor"),
        pytest.param("import ctypes; _ = ctypes.CDLL(None).printf(b'a\\n')", [("stdout", "a\n")], id="C code"),
    ],
)
def test_text_is_captured_wherever_it_is_written(run: Runner, code: str, captured: list[tuple[str, str]]) -> None:
    assert channels(run(code)[0]) == captured


@pytest.mark.parametrize(
    ("before", "code"),
    [
        pytest.param("", "print(2, file=sys.__stdout__)", id="sys.__stdout__"),
        pytest.param("", "_ = sys.__stdout__.write('2\\n')", id="its method"),
        pytest.param("", "_ = sys.__stdout__.buffer.write(b'2\\n')", id="its bytes"),
        pytest.param("from sys import __stdout__ as out", "print(2, file=out)", id="a saved reference"),
        pytest.param("", "sys.stdout = io.StringIO()\nsys.stdout = sys.__stdout__\nprint(2)", id="put back"),
        pytest.param("", "with os.fdopen(os.dup(1), 'w') as f: print(2, file=f)", id="a file of a copied descriptor"),
        pytest.param("f = os.fdopen(1, 'w', closefd=False)", "print(2, file=f, flush=True)", id="a flushed file"),
        pytest.param("", "ctypes.CDLL(None).printf(b'2\\n')", id="C code"),
    ],
)
def test_text_that_is_written_past_sys_stdout_keeps_its_order(run: Runner, before: str, code: str) -> None:
    imports = "import ctypes, io, os, sys\n"
    above, below = run(imports + before, f"print(1)\n{code};\nprint(3)\nprint(4, end='', file=sys.__stdout__)")
    assert (channels(above), channels(below)) == ([], [("stdout", "1\n2\n3\n4")])


@pytest.mark.parametrize(
    "stream",
    [
        "io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')",
        "io.TextIOWrapper(sys.__stdout__.buffer, encoding='utf-8')",
        "io.TextIOWrapper(sys.stdout.detach(), encoding='utf-8')",
        "open(sys.stdout.fileno(), 'w', encoding='utf-8', closefd=False)",
        "os.fdopen(os.dup(1), 'w')",
        "codecs.getwriter('utf-8')(sys.stdout.buffer)",
    ],
)
def test_a_stream_in_place_of_sys_stdout_is_flushed_when_a_block_ends(run: Runner, stream: str) -> None:
    runs = run(f"import codecs, io, os, sys\nsys.stdout = {stream}\nprint(1)", "print(2)\n3", "print(4)")
    assert [channels(each) for each in runs] == [[("stdout", f"{number}\n")] for number in (1, 2, 4)]
    assert isinstance(runs[1].outputs[0], Stream), "before the value"


def test_what_cannot_be_flushed_is_the_block_s_own_business(run: Runner) -> None:
    runs = run("import sys\nsys.stdout = None", "sys.stdout = 3", "sys.stdout = sys.__stdout__\nprint(1)")
    assert [channels(each) for each in runs] == [[], [], [("stdout", "1\n")]]


def test_warnings_name_the_author_s_file_and_line(run: Runner) -> None:
    (result,) = run("import warnings\nwarnings.warn('careful')")
    assert channels(result) == [("stderr", "docs/page.md:3: UserWarning: careful\n  warnings.warn('careful')\n")]


def test_text_of_python_c_code_and_children_keeps_its_order(run: Runner) -> None:
    code = """
import ctypes, os, sys
print(1)
ctypes.CDLL(None).printf(b"2\\n")
print(3, file=sys.stderr)
os.system("echo 4")
os.system("echo 5 >&2")
print(6);
"""
    assert channels(run(code)[0]) == [
        ("stdout", "1\n2\n"),
        ("stderr", "3\n"),
        ("stdout", "4\n"),
        ("stderr", "5\n"),
        ("stdout", "6\n"),
    ]


def test_a_progress_bar_shows_as_its_last_state(run: Runner) -> None:
    code = "import sys\nfor i in range(101):\n    sys.stderr.write(f'\\r{i} %')\nsys.stderr.write('\\n')"
    assert channels(run(code)[0]) == [("stderr", "100 %\n")]


def test_a_long_progress_bar_does_not_use_up_the_room_for_text(run: Runner) -> None:
    code = "for i in range(6000):\n    print(f'\\r{i:5d} ' + '#' * 60, end='')\nprint()\nprint('epoch done')"
    (result,) = run(code)
    assert printed_text(result).endswith("epoch done\n")
    assert "left out" not in printed_text(result)


def test_endless_output_keeps_its_head_and_tail_and_says_how_much_was_cut(run: Runner) -> None:
    (result,) = run("for i in range(100_000): print(i)\nprint('the end')")
    assert printed_text(result).startswith("0\n1\n2\n")
    assert printed_text(result).endswith("99999\nthe end\n")
    assert "characters left out" in printed_text(result)
    assert len(printed_text(result)) < 250_000


def test_no_text_of_a_thread_is_lost_or_repeated(run: Runner) -> None:
    code = """
from threading import Thread
def say(i):
    for j in range(500): print(f"t{i}-{j}\\n", end="")
threads = [Thread(target=say, args=(i,)) for i in range(4)]
for t in threads: t.start()
for t in threads: t.join()
"""
    lines = printed_text(run(code)[0]).split()
    assert len(lines) == len(set(lines)) == 2000


def test_lines_that_threads_print_at_once_stay_whole(run: Runner) -> None:
    code = """
from threading import Thread
def say(i):
    for j in range(60): print(f"line {i} {j} ends here")
threads = [Thread(target=say, args=(i,)) for i in range(50)]
for t in threads: t.start()
for t in threads: t.join()
"""
    lines = printed_text(run(code)[0]).splitlines()
    whole = {line for line in lines if line.startswith("line ") and line.count("line") == 1}
    assert len(whole) > 0.99 * 3000, "as in a plain Python that writes to a terminal"


class Streams:
    """Both captured streams of a kernel, and what they have passed on."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        log: Any = self
        turn = LineTurn()
        streams: list[Any] = [CapturedStream(name, 0, log, turn) for name in ("stdout", "stderr")]
        self.stdout, self.stderr = (io.TextIOWrapper(stream, write_through=True) for stream in streams)

    def add_text(self, _: str, text: str) -> None:
        self.texts.append(text)

    def write_in_thread(self, stream: TextIO, text: str) -> Thread:
        thread = Thread(target=stream.write, args=(text,), daemon=True)
        thread.start()
        thread.join(0.05)
        return thread


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Streams:
    """Return streams whose threads wait longer than any test takes."""
    monkeypatch.setattr(capture, "MAX_WAIT", 60)
    return Streams()


ENDS: dict[str, Callable[[TextIO], object]] = {
    "the end of the line": lambda out: out.write("\n"),
    "more text": lambda out: out.write("2\n"),
    "a carriage return": lambda out: out.write("\r"),
    "a flush": lambda out: out.flush(),
    "the end of a line of several": lambda out: out.write("2\n3\n"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("other", ["stdout", "stderr"])
def test_a_thread_waits_until_another_one_has_ended_its_line(streams: Streams, end: str, other: str) -> None:
    streams.stdout.write("1")
    thread = streams.write_in_thread(getattr(streams, other), "other\n")
    assert streams.texts == ["1"]
    ENDS[end](streams.stdout)
    thread.join(10)
    assert streams.texts[-1] == "other\n"


@pytest.mark.parametrize("text", ["1\n", "1\r", "1\n2\n", "", "1\r\n"])
def test_nobody_waits_for_a_thread_whose_line_has_ended(streams: Streams, text: str) -> None:
    streams.stdout.write(text)
    streams.write_in_thread(streams.stdout, "other")
    assert streams.texts[-1] == "other"


def test_a_thread_writes_to_both_streams_without_waiting(streams: Streams) -> None:
    streams.stdout.write("1")
    streams.stderr.write("2")
    assert streams.texts == ["1", "2"]


def test_a_thread_that_does_not_end_its_lines_is_waited_for_once(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "MAX_WAIT", 0.01)
    streams.stdout.write("1")
    streams.write_in_thread(streams.stdout, "other\n").join(10)
    monkeypatch.setattr(capture, "MAX_WAIT", 60)
    streams.stdout.write("2")
    streams.write_in_thread(streams.stdout, "another\n")
    assert streams.texts == ["1", "other\n", "2", "another\n"]
    streams.stdout.write("\n")
    streams.stdout.write("3")
    streams.write_in_thread(streams.stdout, "the last\n")
    assert streams.texts[-1] == "3"


@posix
def test_a_process_that_a_block_forks_prints_like_a_child_and_runs_no_other_block(run: Runner) -> None:
    code = """
import os
print("before")
if (p := os.fork()) == 0:
    print("child")
else:
    os.waitpid(p, 0)
    print("parent")
"""
    first, second = run(code, "print('next')")
    assert printed_text(first) == "before\nchild\nparent\n"
    assert printed_text(second) == "next\n"
