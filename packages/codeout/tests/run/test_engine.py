"""Sessions in real kernels: their namespace, their environment, and when they run again."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from codeout import Block, BlockError, Config, Engine, PageError, Run
from codeout.model.blocks import Place, group_sessions
from helpers import block, kernels, printed_text

Runner = Callable[..., list[Run]]


def test_blocks_of_a_session_share_a_namespace_and_pages_do_not(run: Runner) -> None:
    assert printed_text(run("x = 1", "print(x)")[1]) == "1\n"
    elsewhere = replace(block("print('x' in globals())"), place=Place("docs/other.md", 1))
    assert printed_text(run(block("x = 1"), elsewhere)[1]) == "False\n"


def test_a_cached_session_does_not_run_again(run: Runner, tmp_path: Path) -> None:
    code = f"import pathlib\nwith pathlib.Path({str(tmp_path / 'log')!r}).open('a') as f: f.write('ran ')\nprint('out')"
    first, second = run(code, "print(1)"), run(code, "print(1)")
    assert (tmp_path / "log").read_text() == "ran "
    assert first == second


def test_an_edit_runs_the_session_again_in_a_new_namespace(run: Runner) -> None:
    run("x = [1]", "x.append(2)\nprint(x)")
    assert printed_text(run("x = [1]", "x.append(3)\nprint(x)")[1]) == "[1, 3]\n"


def test_a_run_records_its_device_its_packages_and_its_duration(run: Runner) -> None:
    provenance = run("import PIL", packages=["pillow"])[0].provenance
    assert provenance.device
    assert [name for name, _ in provenance.packages] == ["pillow"]
    assert 0 < provenance.seconds < 30


def test_a_run_has_the_numbers_and_short_texts_that_a_block_bound(run: Runner) -> None:
    code = "x, y, big, name, _hidden, items = 1.5, float('nan'), -(2**64 - 1), 'caf\\udce9', 1, [1]\nz = -float('inf')"
    for _ in range(2):  # the second time from the cache
        values = dict(run(code)[0].values)
        assert str(values.pop("y")) == "nan"
        assert values == {"x": 1.5, "big": -(2**64 - 1), "name": "caf\\udce9", "z": -math.inf}


def test_the_prelude_runs_first_and_its_failure_is_reported(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "prelude.py").write_text("seed = 7\n")
    assert printed_text(run("print(seed)", prelude="prelude.py")[0]) == "7\n"
    (tmp_path / "prelude.py").write_text("x = 1\nraise ValueError('no')\n")
    with pytest.raises(BlockError, match=r"^prelude\.py:2: ValueError: no"):
        run("print(seed)", prelude="prelude.py")


def test_blocks_import_from_the_folders_in_paths(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "mine.py").write_text("x = 5\n")
    assert printed_text(run("import mine\nprint(mine.x)", paths=["lib"])[0]) == "5\n"


def test_a_sandbox_is_an_empty_folder_that_has_the_links(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "d.txt").write_text("here")
    code = """
import os, pathlib
pathlib.Path("made.txt").write_text("x")
print(pathlib.Path("data/d.txt").read_text(), os.getcwd())
"""
    lines = printed_text(run(code, sandbox=True, links=["data"])[0]).split()
    assert lines[0] == "here"
    assert not Path(lines[1]).exists()
    assert not (tmp_path / "made.txt").exists()
    assert (tmp_path / "data" / "d.txt").exists()


def test_no_secret_reaches_a_kernel(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("MODE", "fast")
    code = "import os\nprint(os.environ.get('GITHUB_TOKEN'), os.environ.get('MODE'))"
    assert printed_text(run(code, variables=["MODE"])[0]) == "None fast\n"


def test_width_and_workdir_mean_what_they_mean_to_markdown_exec(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (result,) = run(
        block("import os, shutil\nprint(shutil.get_terminal_size().columns, os.getcwd())", width=33, workdir="there")
    )
    assert printed_text(result).split() == ["33", str((tmp_path / "there").resolve())]


def test_the_prepare_script_runs_once_and_its_failure_stops_the_build(tmp_path: Path) -> None:
    (tmp_path / "get.py").write_text("open('log', 'a').write('x')\n")
    engine = Engine(Config.from_options({"root": tmp_path, "prepare": "get.py"}))
    engine.run([block("1")])
    engine.run([block("2")])
    assert (tmp_path / "log").read_text() == "x"
    (tmp_path / "get.py").write_text("raise SystemExit('no data')\n")
    with pytest.raises(PageError, match=r"^get\.py:1: exited with code 1"):
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


def test_equal_blocks_of_a_page_have_runs_of_their_own(run: Runner) -> None:
    again = block("x += 1\nprint(x)")
    assert [printed_text(one) for one in run(block("x = 1"), again, replace(again))] == ["", "2\n", "3\n"]


def test_the_kernel_s_future_imports_do_not_reach_the_author_s_code(run: Runner) -> None:
    assert printed_text(run("def f(x: int): pass\nprint(f.__annotations__)")[0]) == "{'x': <class 'int'>}\n"


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
def test_an_edit_of_a_module_or_its_files_reruns_the_session(
    run: Runner, tmp_path: Path, code: str, changed: str
) -> None:
    for path in ("m.py", "ns/m.py", "p/__init__.py", "p.py", "p/words.txt"):
        (tmp_path / "lib" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lib" / path).write_text("1" if path.endswith("txt") else "x = 1")
    assert printed_text(run(code, paths=["lib"])[0]) == "1\n"
    (tmp_path / "lib" / changed).write_text("2" if changed.endswith("txt") else "x = 2")
    assert printed_text(run(code, paths=["lib"])[0]) == "2\n"


def test_a_run_whose_module_was_edited_meanwhile_is_not_cached(run: Runner, tmp_path: Path) -> None:
    module = tmp_path / "m.py"
    module.write_text("x = 1\n")
    code = f"import subprocess, m\n_ = subprocess.run(['sh', '-c', 'echo x = 2 > {module}'])\nprint(m.x)"
    assert printed_text(run(code, paths=["."])[0]) == "1\n"
    assert printed_text(run(code, paths=["."])[0]) == "2\n"


def test_a_block_that_moved_has_its_new_lines_in_tracebacks(run: Runner) -> None:
    first = run(block("int('a')", raises="ValueError", line=3))[0].error
    moved = run(block("int('a')", raises="ValueError", line=30))[0].error
    assert first is not None and "line 4" in first.traceback
    assert moved is not None and "line 31" in moved.traceback


def test_a_cache_that_cannot_be_written_costs_only_the_next_build(
    run: Runner, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".codeout").write_text("a file where the folder should be")
    assert printed_text(run("print(1)")[0]) == "1\n"
    assert "cannot store a run" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"paths": ["nowhere"]}, "'paths': 'nowhere' is not a folder"),
        ({"prelude": "gone.py"}, r"cannot read gone\.py: No such file"),
    ],
)
def test_a_setting_that_names_a_missing_file_is_one_sentence(
    run: Runner, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(PageError, match=f"^mkdocs.yml:1: .*{message}"):
        run("1", **settings)


def test_cpu_count_is_no_limit_on_sessions(run: Runner) -> None:
    blocks = [block(f"print({i})", session=f"s{i}", line=1 + 3 * i) for i in range(2 * (os.cpu_count() or 1) + 1)]
    assert [printed_text(one) for one in run(*blocks)] == [f"{i}\n" for i in range(len(blocks))]


def test_a_process_that_waits_for_more_blocks_goes_on_with_them(tmp_path: Path) -> None:
    engine = Engine(Config.from_options({"root": tmp_path, "jobs": 2}))
    blocks = [block("x = 1"), block("import os, time; time.sleep(3); print(x)", line=11)]
    engine.states(group_sessions(blocks[:1]), may_grow=True)
    (session,) = engine.sessions
    assert wait_until(lambda: session.is_over)
    (kernel,) = kernels()
    engine.request(engine.load(group_sessions(blocks)), may_grow=True)
    assert wait_until(lambda: bool(engine.progress()))
    assert kernels() == [kernel]
    assert printed_text(session.wait(2)[1]) == "1\n"
    engine.expect_no_more()
    assert wait_until(lambda: not kernels()), "nothing more can follow, so that the process ends"
    engine.close()


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()
