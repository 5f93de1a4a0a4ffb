"""What blocks print, from Python, C code, threads and child processes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codeout import Run, Stream
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
