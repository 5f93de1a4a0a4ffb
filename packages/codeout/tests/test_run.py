"""Blocks in a real worker: what is captured, how they share a namespace, and what happens when they go wrong."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from codeout import Block, BlockError, Config, Engine, Error, Figure, PageError, Run, Stream, Value
from codeout.cache import environment
from codeout.model.blocks import Place
from helpers import block, posix

Runner = Callable[..., list[Run]]


def text(run: Run) -> str:
    return "".join(output.text for output in run.outputs if isinstance(output, Stream))


def channels(run: Run) -> list[tuple[str, str]]:
    return [(output.name, output.text) for output in run.outputs if isinstance(output, Stream)]


def workers(of: int | None = None) -> list[psutil.Process]:
    """Return the workers of a build, by its process id; of this process if none is given."""
    named = ["-m", "codeout.kernel", str(of or os.getpid())]
    return [p for p in psutil.process_iter(["cmdline"]) if (p.info["cmdline"] or [])[1:4] == named]


# ------------------------------------------------------------------------------------------------ what is captured


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
def test_text_is_captured_from_wherever_it_comes(run: Runner, code: str, captured: list[tuple[str, str]]) -> None:
    assert channels(run(code)[0]) == captured


def test_warnings_name_the_author_s_file_and_line(run: Runner) -> None:
    (result,) = run("import warnings\nwarnings.warn('careful')")
    assert channels(result) == [("stderr", "docs/page.md:3: UserWarning: careful\n  warnings.warn('careful')\n")]


def test_order_is_kept_between_python_c_and_children(run: Runner) -> None:
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


@pytest.mark.parametrize(
    ("code", "data"),
    [
        pytest.param("1 + 1", {"text/plain": "2"}, id="as a notebook prints it"),
        pytest.param("x = 1", None, id="an assignment is no value"),
        pytest.param("None", None, id="None is no value"),
        pytest.param("1 + 1;", None, id="a semicolon hides it"),
        pytest.param("from IPython.display import HTML; HTML('<b>x</b>')", {"text/html": "<b>x</b>"}, id="HTML"),
        pytest.param("from IPython.display import SVG; SVG('<svg/>')", {"image/svg+xml": "<svg/>"}, id="SVG"),
        pytest.param(
            "from IPython.display import Math; Math('x^2')", {"text/latex": "$\\displaystyle x^2$"}, id="LaTeX"
        ),
        pytest.param(
            "from IPython.display import Markdown, display; display(Markdown('*x*'))",
            {"text/markdown": "*x*"},
            id="displayed",
        ),
    ],
)
def test_the_last_expression_is_a_mime_bundle(run: Runner, code: str, data: dict[str, str] | None) -> None:
    values = [dict(output.data) for output in run(code)[0].outputs if isinstance(output, Value)]
    if data is None:
        assert values == []
    else:
        assert [{mime: part for mime, part in value.items() if mime in data} for value in values] == [data]


def test_a_pil_image_is_a_png(run: Runner) -> None:
    (output,) = run("from PIL import Image; Image.new('RGB', (2, 2))")[0].outputs
    assert isinstance(output, Value)
    assert output.data["image/png"].startswith("iVBOR")


def test_every_figure_is_captured_where_it_is_shown(run: Runner) -> None:
    code = """
import matplotlib.pyplot as plt
plt.plot([1, 2]); plt.title("one"); plt.xlabel("x"); plt.ylabel("y")
plt.show()
print("between")
plt.figure(label="two, in words"); plt.plot([2, 1])
"""
    figure, between, last = run(code)[0].outputs
    assert isinstance(figure, Figure) and figure.data["image/png"].startswith("iVBOR")
    assert figure.alt == "one; y against x"
    assert between == Stream("stdout", "between\n")
    assert isinstance(last, Figure) and last.alt == "two, in words"


def test_a_figure_that_is_also_the_value_is_shown_once(run: Runner) -> None:
    outputs = run("import matplotlib.pyplot as plt\nfigure = plt.figure()\nfigure")[0].outputs
    assert [type(output) for output in outputs] == [Figure]


def test_the_same_svg_figure_has_the_same_bytes(run: Runner) -> None:
    code = "import matplotlib.pyplot as plt\nplt.rcParams['savefig.format'] = 'svg'\nplt.plot([1, 2])"
    (one,), (two,) = (
        run(block(code, session="a", line=1), block(code, session="b", line=9))[0].outputs,
        run(block(code, session="c"))[0].outputs,
    )
    assert isinstance(one, Figure) and isinstance(two, Figure)
    assert one.data["image/svg+xml"] == two.data["image/svg+xml"]


def test_endless_output_keeps_its_head_and_tail_and_says_what_was_cut(run: Runner) -> None:
    (result,) = run("for i in range(100_000): print(i)\nprint('the end')")
    assert text(result).startswith("0\n1\n2\n")
    assert text(result).endswith("99999\nthe end\n")
    assert "characters left out" in text(result)
    assert len(text(result)) < 250_000


# --------------------------------------------------------------------------------------------- sessions and the store


def test_blocks_of_a_session_share_a_namespace_and_pages_do_not(run: Runner) -> None:
    assert text(run("x = 1", "print(x)")[1]) == "1\n"
    elsewhere = dataclasses.replace(block("print('x' in globals())"), place=Place("docs/other.md", 1))
    assert text(run(block("x = 1"), elsewhere)[1]) == "False\n"


def test_what_the_store_has_does_not_run_again(run: Runner, tmp_path: Path) -> None:
    code = f"import pathlib\nwith pathlib.Path({str(tmp_path / 'log')!r}).open('a') as f: f.write('ran ')\nprint('out')"
    first, second = run(code, "print(1)"), run(code, "print(1)")
    assert (tmp_path / "log").read_text() == "ran "
    assert first == second


def test_an_edit_runs_the_session_again_in_a_new_namespace(run: Runner) -> None:
    run("x = [1]", "x.append(2)\nprint(x)")
    assert text(run("x = [1]", "x.append(3)\nprint(x)")[1]) == "[1, 3]\n"


def test_a_run_says_where_and_with_what_it_ran(run: Runner) -> None:
    told = run("import PIL", packages=["pillow"])[0].provenance
    assert told.device
    assert [name for name, _ in told.packages] == ["pillow"]
    assert 0 < told.seconds < 30


def test_the_prelude_runs_first_and_its_failure_is_told(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "prelude.py").write_text("seed = 7\n")
    assert text(run("print(seed)", prelude="prelude.py")[0]) == "7\n"
    (tmp_path / "prelude.py").write_text("x = 1\nraise ValueError('no')\n")
    with pytest.raises(BlockError, match=r"^prelude\.py:2: ValueError: no"):
        run("print(seed)", prelude="prelude.py")


def test_blocks_import_from_the_folders_that_are_named(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "mine.py").write_text("x = 5\n")
    assert text(run("import mine\nprint(mine.x)", paths=["lib"])[0]) == "5\n"


def test_a_worker_has_a_folder_of_its_own_and_the_linked_ones(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "d.txt").write_text("here")
    code = """
import os, pathlib
pathlib.Path("made.txt").write_text("x")
print(pathlib.Path("data/d.txt").read_text(), os.getcwd())
"""
    said = text(run(code, links=["data"])[0]).split()
    assert said[0] == "here"
    assert not Path(said[1]).exists()
    assert not (tmp_path / "made.txt").exists()
    assert (tmp_path / "data" / "d.txt").exists()


def test_no_secret_reaches_a_worker(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("MODE", "fast")
    assert (
        text(run("import os\nprint(os.environ.get('GITHUB_TOKEN'), os.environ.get('MODE'))", variables=["MODE"])[0])
        == "None fast\n"
    )


def test_width_and_workdir_mean_what_they_mean_to_markdown_exec(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (result,) = run(
        block("import os, shutil\nprint(shutil.get_terminal_size().columns, os.getcwd())", width=33, workdir="there")
    )
    assert text(result).split() == ["33", str((tmp_path / "there").resolve())]


def test_the_script_that_prepares_data_runs_once_and_stops_the_build_if_it_fails(tmp_path: Path) -> None:
    (tmp_path / "get.py").write_text("open('log', 'a').write('x')\n")
    engine = Engine(Config.from_options({"root": tmp_path, "prepare": "get.py"}))
    engine.run([block("1")])
    engine.run([block("2")])
    assert (tmp_path / "log").read_text() == "x"
    (tmp_path / "get.py").write_text("raise SystemExit('no data')\n")
    with pytest.raises(PageError, match=r"^get\.py:1: ended with exit code 1"):
        Engine(Config.from_options({"root": tmp_path, "prepare": "get.py"})).run([block("3")])


def test_the_session_that_took_longest_last_time_starts_first(run: Runner, caplog: pytest.LogCaptureFixture) -> None:
    def blocks(version: int) -> list[Block]:
        codes = {"quick": "pass", "slow": "import time; time.sleep(1)"}
        return [block(f"{code}\n_ = {version}", session=name) for name, code in codes.items()]

    run(*blocks(1), jobs=1)
    caplog.set_level("INFO")
    caplog.clear()
    run(*blocks(2), jobs=1)
    started = [record.getMessage() for record in caplog.records if "running" in record.getMessage()]
    assert ["slow" in started[0], "about" in started[0], "quick" in started[1]] == [True, True, True]


def test_equal_blocks_of_a_page_are_told_apart(run: Runner) -> None:
    again = block("x += 1\nprint(x)")
    assert [text(one) for one in run(block("x = 1"), again, dataclasses.replace(again))] == ["", "2\n", "3\n"]


def test_the_author_s_code_does_not_live_under_our_future_imports(run: Runner) -> None:
    assert text(run("def f(x: int): pass\nprint(f.__annotations__)")[0]) == "{'x': <class 'int'>}\n"


def test_no_text_of_a_thread_is_lost_or_doubled(run: Runner) -> None:
    code = """
from threading import Thread
def say(i):
    for j in range(500): print(f"t{i}-{j}\\n", end="")
threads = [Thread(target=say, args=(i,)) for i in range(4)]
for t in threads: t.start()
for t in threads: t.join()
"""
    lines = text(run(code)[0]).split()
    assert len(lines) == len(set(lines)) == 2000


@posix
def test_a_process_that_a_block_forks_speaks_like_any_other_child_and_runs_no_block(run: Runner) -> None:
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
    assert text(first) == "before\nchild\nparent\n"
    assert text(second) == "next\n"


def test_a_display_can_be_updated_in_its_place(run: Runner) -> None:
    code = "from IPython.display import display\nh = display('a', display_id=True)\nprint(1)\nh.update('b')"
    outputs = run(code)[0].outputs
    assert [o.data["text/plain"] if isinstance(o, Value) else o for o in outputs] == ["'b'", Stream("stdout", "1\n")]


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        pytest.param("import matplotlib as mpl\nmpl.colormaps['viridis']", True, id="a colormap"),
        pytest.param("import matplotlib.pyplot as plt\nplt.plot([1])", False, id="lines of a plot"),
        pytest.param("import matplotlib.pyplot as plt\nplt.bar([1], [1])", False, id="bars"),
        pytest.param("1 + 1  # note;", True, id="a semicolon in a comment"),
        pytest.param("1 + 1;  # note", False, id="a semicolon before a comment"),
    ],
)
def test_a_value_is_shown_unless_nobody_wants_to_read_it(run: Runner, code: str, shown: bool) -> None:
    assert any(isinstance(output, Value) for output in run(code)[0].outputs) == shown


def test_a_long_progress_bar_does_not_use_up_the_room_for_text(run: Runner) -> None:
    code = "for i in range(6000):\n    print(f'\\r{i:5d} ' + '#' * 60, end='')\nprint()\nprint('epoch done')"
    (result,) = run(code)
    assert text(result).endswith("epoch done\n")
    assert "left out" not in text(result)


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        pytest.param("import importlib\nprint(importlib.import_module('m').x)", "m.py", id="importlib"),
        pytest.param("import ns.m\nprint(ns.m.x)", "ns/m.py", id="a namespace package"),
        pytest.param("import p\nprint(p.x)", "p/__init__.py", id="a package beside a module of its name"),
        pytest.param(
            "import p\nprint(open(p.__path__[0] + '/words.txt').read())", "p/words.txt", id="a package's file"
        ),
    ],
)
def test_whatever_is_imported_from_the_author_s_folders_counts(
    run: Runner, tmp_path: Path, code: str, changed: str
) -> None:
    for path in ("m.py", "ns/m.py", "p/__init__.py", "p.py", "p/words.txt"):
        (tmp_path / "lib" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lib" / path).write_text("1" if path.endswith("txt") else "x = 1")
    assert text(run(code, paths=["lib"])[0]) == "1\n"
    (tmp_path / "lib" / changed).write_text("2" if changed.endswith("txt") else "x = 2")
    assert text(run(code, paths=["lib"])[0]) == "2\n"


def test_a_package_that_is_installed_editable_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_too.py").write_text("x = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = environment.session_inputs([block("import mine_too")], Config.from_options({"root": tmp_path}))
    (tmp_path / "mine_too.py").write_text("x = 2")
    assert environment.session_inputs([block("import mine_too")], Config.from_options({"root": tmp_path})) != before


def test_what_was_edited_while_it_ran_is_not_kept(run: Runner, tmp_path: Path) -> None:
    module = tmp_path / "m.py"
    module.write_text("x = 1\n")
    code = f"import pathlib\n_ = pathlib.Path({str(module)!r}).write_text('x = 2')\nimport m\nprint(m.x)"
    assert text(run(code, paths=["."])[0]) == "2\n"
    assert not list((tmp_path / ".codeout").glob("??/*.json"))


def test_lines_in_a_traceback_are_those_of_today(run: Runner) -> None:
    first = run(block("int('a')", raises="ValueError", line=3))[0].error
    moved = run(block("int('a')", raises="ValueError", line=30))[0].error
    assert first is not None and "line 4" in first.traceback
    assert moved is not None and "line 31" in moved.traceback


# ---------------------------------------------------------------------------------------------------- going wrong


def test_an_object_that_cannot_show_itself_is_an_error(run: Runner) -> None:
    with pytest.raises(BlockError, match=r"^docs/page\.md:3: ZeroDivisionError"):
        run("class A:\n    def _repr_html_(self): return 1 / 0\nA()")
    with pytest.raises(BlockError, match="frac"):
        run("import matplotlib.pyplot as plt\n_ = plt.title(r'$\\frac{$')")


def test_an_exception_whose_words_raise_is_told_all_the_same(run: Runner) -> None:
    with pytest.raises(BlockError, match=r"E: \(its __str__ raised ZeroDivisionError\)"):
        run("class E(Exception):\n    def __str__(self): return str(1 / 0)\nraise E")


def test_exit_is_python_s_own(run: Runner) -> None:
    with pytest.raises(BlockError, match="SystemExit: 3"):
        run("exit(3)")


def test_an_expected_exception_may_be_named_by_its_base(run: Runner) -> None:
    assert run(block("{}['a']", raises="LookupError"))[0].error is not None


def test_the_message_about_a_kernel_that_died_ends_with_its_last_output(run: Runner) -> None:
    with pytest.raises(BlockError, match=r"exited with code 3; last output:\n(.|\n)*nearly there"):
        run("import os\nprint('nearly there')\nos._exit(3)")


@posix
def test_a_process_that_left_the_group_does_not_outlive_its_session(run: Runner) -> None:
    code = "import subprocess\nprint(subprocess.Popen(['sleep', '100'], start_new_session=True).pid)"
    pid = int(text(run(code)[0]))
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@posix
@pytest.mark.parametrize("end", ["os._exit(3)", "print('done')"])
def test_a_process_whose_parent_is_gone_does_not_outlive_its_session(run: Runner, end: str) -> None:
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
    code = f"""
import os, stat
for number in range(3, 30):
    try:
        if stat.S_ISFIFO(os.fstat(number).st_mode):
            os.write(number, {line.encode() + bytes([10])!r})
    except OSError:
        pass
"""
    with pytest.raises(BlockError, match=r"^docs/page\.md:\d: the kernel sent an invalid message \(.*\): "):
        run(code)
    assert not workers()


@posix
@pytest.mark.parametrize("way", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_build_that_is_interrupted_ends_soon_and_leaves_nothing(tmp_path: Path, way: str) -> None:
    (tmp_path / "tmp").mkdir()
    build = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from codeout import Config, Engine
from helpers import block
code = "import subprocess; print(1); subprocess.run(['sleep', '77.25'])"
Engine(Config.from_options({{"root": {str(tmp_path)!r}}})).run([block(code)])
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    process = subprocess.Popen([sys.executable, "-c", build], env=environment, stderr=subprocess.DEVNULL)

    def sleepers() -> list[psutil.Process]:
        return [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "77.25"]]

    assert until(lambda: bool(sleepers()))
    process.send_signal(signal.Signals[way])
    process.wait(10)
    assert until(lambda: not sleepers() and not workers(process.pid) and not list((tmp_path / "tmp").iterdir()))


def until(true: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.1)
    return False


def test_an_exception_names_page_and_line_and_shows_the_author_s_frames_only(run: Runner) -> None:
    with pytest.raises(BlockError) as caught:
        run("def f():\n    return 1 / 0\n\nf()")
    message = str(caught.value)
    assert message.startswith("docs/page.md:3: ZeroDivisionError: division by zero\nTraceback")
    assert "codeout" not in message
    assert "    return 1 / 0" in message


def test_an_exception_in_a_snippet_names_the_snippet_s_line_too(run: Runner) -> None:
    with pytest.raises(BlockError, match=r"^docs/page\.md:1 \(snippets/s\.py:41\): NameError: "):
        run(dataclasses.replace(block("x = 1\nundefined"), origin=Place("snippets/s.py", 40)))


def test_a_syntax_error_names_its_line(run: Runner) -> None:
    with pytest.raises(BlockError, match=r"^docs/page\.md:3: SyntaxError: "):
        run("x = 1\ny = = 2")


def test_every_failing_session_is_reported(run: Runner) -> None:
    with pytest.raises(BlockError) as caught:
        run(block("1 / 0", session="a"), block("undefined", session="b", line=9))
    assert "ZeroDivisionError" in str(caught.value)
    assert "NameError" in str(caught.value)


def test_a_failure_is_not_kept(run: Runner, tmp_path: Path) -> None:
    code = f"import pathlib\nassert pathlib.Path({str(tmp_path / 'flag')!r}).exists()\nprint('fine')"
    with pytest.raises(BlockError, match="AssertionError"):
        run(code)
    (tmp_path / "flag").touch()
    assert text(run(code)[0]) == "fine\n"


def test_an_expected_exception_is_an_output_and_its_absence_an_error(run: Runner) -> None:
    (result, after) = run(block("x = 1\nint('a')", raises="ValueError"), "print(x)")
    assert result.error is not None and result.error.type == "ValueError"
    assert text(after) == "1\n"
    with pytest.raises(BlockError, match="no exception was raised; the page expects ValueError"):
        run(block("int('1')", raises="ValueError"))
    with pytest.raises(BlockError, match=r"KeyError: 'a' \(the page expects ValueError\)"):
        run(block("{}['a']", raises="ValueError"))


def test_errors_can_be_shown_in_place_with_the_outputs_before_them(run: Runner) -> None:
    first, second, third = run("print(1)", "print(2)\n1 / 0", "print(3)", errors="show")
    assert text(first) == "1\n"
    assert [type(output) for output in second.outputs] == [Stream, Error]
    assert third.error is not None and "did not run" in third.error.message.lower()


@pytest.mark.parametrize(
    ("code", "said"),
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
def test_a_block_that_hangs_or_dies_is_told_in_one_message_and_leaves_nothing(
    run: Runner, code: str, said: str
) -> None:
    with pytest.raises(BlockError, match=r"^docs/page\.md:[123]: ") as caught:
        run(code, timeout=1)
    assert caught.match(said)
    assert not workers()


def test_child_processes_and_threads_do_not_outlive_their_session(run: Runner) -> None:
    code = """
import subprocess, threading, time
p = subprocess.Popen(["sleep", "100"])
threading.Thread(target=time.sleep, args=(100,)).start()
print(p.pid)
"""
    started = time.monotonic()
    pid = int(text(run(code)[0]))
    assert time.monotonic() - started < 20
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_store_that_cannot_be_written_costs_only_the_next_build(
    run: Runner, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".codeout").write_text("a file where the folder should be")
    assert text(run("print(1)")[0]) == "1\n"
    assert "can't keep a run" in caplog.text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"paths": ["nowhere"]}, "'paths': no such folder: 'nowhere'"),
        ({"prelude": "gone.py"}, r"can't read gone\.py: No such file"),
    ],
)
def test_a_setting_that_names_a_missing_file_is_one_sentence(
    run: Runner, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(PageError, match=f"^mkdocs.yml:1: .*{said}"):
        run("1", **settings)


def test_cpu_count_is_no_limit_on_sessions(run: Runner) -> None:
    blocks = [block(f"print({i})", session=f"s{i}", line=1 + 3 * i) for i in range(2 * (os.cpu_count() or 1) + 1)]
    assert [text(one) for one in run(*blocks)] == [f"{i}\n" for i in range(len(blocks))]
