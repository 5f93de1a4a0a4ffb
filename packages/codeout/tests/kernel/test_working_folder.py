"""Where blocks work: in the project's folder, as with markdown-exec; and what lasts between sessions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from codeout import BlockError, Config, Engine, PageError, Run
from codeout.run.process import KernelProcess
from helpers import block, linux, printed_text

Runner = Callable[..., list[Run]]


def test_blocks_work_in_the_folder_of_the_project(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "data.csv").write_text("1,2")
    (tmp_path / "docs" / "near.py").write_text("x = 5")
    code = "import sys\nsys.path.insert(0, 'docs')\nimport near\nprint(near.x, open('docs/data.csv').read())"
    (shown,) = run(code + "\n_ = open('made.txt', 'w').write('x')")
    assert printed_text(shown) == "5 1,2\n"
    assert (tmp_path / "made.txt").read_text() == "x"
    (tmp_path / "docs" / "data.csv").write_text("3,4")
    assert printed_text(run(code + "\n_ = open('made.txt', 'w').write('x')")[0]) == "5 3,4\n"


def test_a_setting_and_an_option_name_other_folders(run: Runner, tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    code = "import os\nprint(os.path.basename(os.getcwd()))"
    first, second, third = run(code, block(code, workdir="there", line=9), block(code, line=19), workdir="here")
    assert [printed_text(each) for each in (first, second, third)] == ["here\n", "there\n", "here\n"]


def test_a_folder_that_does_not_exist_is_one_sentence(run: Runner) -> None:
    with pytest.raises(PageError, match=r"^mkdocs\.yml:1: codeout: 'workdir': gone is not a folder$"):
        run("1", workdir="gone")
    with pytest.raises(BlockError, match=r"^docs/page\.md:1: workdir: gone is not a folder$"):
        run(block("1", workdir="gone"))


@linux
def test_a_process_that_cannot_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files = psutil.Process().num_fds()
    with pytest.raises(PageError):
        KernelProcess(Config.from_options({"root": tmp_path, "workdir": "gone"}))
    assert psutil.Process().num_fds() == files
    assert not list(tmp_path.glob("codeout-*"))


def test_links_without_a_sandbox_are_an_error() -> None:
    with pytest.raises(PageError, match="'links' needs `sandbox: true`"):
        Config.from_options({"links": ["data"]})


def test_the_home_folder_lasts_between_sessions_and_is_not_the_user_s(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / ".token").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    look = "from pathlib import Path\nhome = Path.home()\nprint(sorted(p.name for p in home.iterdir()))\n"
    assert printed_text(run(look + "(home / 'weights').touch()")[0]) == "[]\n"
    (later,) = run(look)
    assert printed_text(later) == "['weights']\n"
    assert not any("weights" in each.name for each in later.inputs), "a library's cache is no input"


def test_modules_on_the_path_of_the_build_can_be_imported(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "on_path.py").write_text("x = 7")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    assert printed_text(run("import on_path\nprint(on_path.x)")[0]) == "7\n"


def test_a_module_of_the_project_does_not_hide_one_of_python(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise ValueError('not this one')")
    assert printed_text(run("import json\nprint(json.dumps([1]))")[0]) == "[1]\n"


def test_who_walks_through_the_project_does_not_depend_on_the_cache(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    log = str(tmp_path / "log")
    code = f"import os\nn = sum(1 for _ in os.walk('.'))\nopen({log!r}, 'a').write('ran ')"
    for other in ("1", "2", "3"):
        run(code + ";", block(other, "other", line=50))
    assert (tmp_path / "log").read_text() == "ran "


def test_the_cache_is_in_no_listing_of_the_project(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    code = (
        "import os, glob\nfrom pathlib import Path\n"
        "print(os.listdir(), os.listdir(b'.'), [e.name for e in os.scandir('.')], [p.name for p in Path().iterdir()],"
        " next(os.walk('.'))[1:], glob.glob('.*'), glob.glob('*'))"
    )
    (first,) = run(code)
    one = "['a.txt']"
    assert printed_text(first) == f"{one} [b'a.txt'] {one} {one} ([], {one}) [] {one}\n"
    assert run(code) == [first]
    (tmp_path / "b.txt").touch()
    assert "b.txt" in printed_text(run(code)[0])


def test_a_file_that_a_session_looks_for_and_then_makes_is_no_input(run: Runner, tmp_path: Path) -> None:
    code = (
        "import os, sqlite3\nif not os.path.exists('made'):\n    _ = open('made', 'w').write('1')\n"
        "    print('made it')\nsqlite3.connect('base.db').execute('create table t (x)');"
    )
    (first,) = run(code)
    assert printed_text(first) == "made it\n"
    assert run(code) == [first], "it does not run again because of its own files"
    assert not [each.name for each in first.inputs if each.name in ("made", "base.db")]


def test_a_text_that_a_library_takes_for_a_path_is_no_input(run: Runner) -> None:
    (first,) = run("import os\nprint(os.path.exists('x' * 300), os.path.exists('y/' * 3000))")
    assert printed_text(first) == "False False\n"
    assert not [each.name for each in first.inputs if "xx" in each.name or "y/y" in each.name]


@linux
@pytest.mark.parametrize(
    ("second", "runs"),
    [("open('f', 'w').write('two')", "a a "), ("open('g', 'w').write('two')", "a ")],
    ids=["the file of a block above", "a file of its own"],
)
def test_an_edit_resumes_only_where_files_are_as_the_blocks_above_left_them(
    tmp_path: Path, second: str, runs: str
) -> None:
    engine = Engine(Config.from_options({"root": tmp_path, "checkpoints": True}))
    first = block("open('log', 'a').write('a ')\n_ = open('f', 'w').write('one')")
    engine.run([first, block(second + ";", line=11)])
    shown = engine.run([first, block("print(open('f').read())", line=11)])
    engine.close()
    assert printed_text(shown[1]) == "one\n"
    assert (tmp_path / "log").read_text() == runs
