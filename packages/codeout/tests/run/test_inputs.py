"""A hit means that nothing changed: what a session reads is observed, and a change of any of it runs it again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codeout import Config, Run
from codeout.cache.input_reader import InputReader
from codeout.cache.lookup import Lookup
from codeout.cache.status import block_inputs, block_reasons
from codeout.model.blocks import group_sessions
from codeout.model.inputs import Input, describe_change, describe_input
from helpers import block, linux, posix, printed_text

Runner = Callable[..., list[Run]]

ROOT = "import os, sys\nroot = os.environ['CODEOUT_ROOT']\n"
READ = "print(open(root + '/{}').read(), end='')\n"


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# name: (code, the file that changes, its text before and after, where None means that there is none, what `why` says)
CASES: dict[str, tuple[str, str, str | None, str | None, str]] = {
    "a file": (ROOT + READ.format("data.csv"), "data.csv", "1", "2", "data.csv: content changed"),
    "a file that goes": (
        ROOT + "try:\n    print(open(root + '/x').read())\nexcept OSError:\n    print('none')",
        "x",
        "1",
        None,
        "x is gone",
    ),
    "a file that comes": (
        ROOT + "try:\n    print(open(root + '/x').read())\nexcept OSError:\n    print('none')",
        "x",
        None,
        "1",
        "x now exists",
    ),
    "a file that is asked for": (
        ROOT + "import pathlib\nprint(pathlib.Path(root, 'x').exists())",
        "x",
        None,
        "1",
        "x now exists",
    ),
    "a file through a descriptor": (
        ROOT + "print(os.read(os.open(root + '/x', os.O_RDONLY), 9))",
        "x",
        "1",
        "2",
        "x: content changed",
    ),
    "a folder": (ROOT + "print(sorted(os.listdir(root + '/d')))", "d/b", None, "", "d: other files in it"),
    "a pattern": (
        ROOT + "import glob\nprint(glob.glob(root + '/d/*.csv'))",
        "d/b.csv",
        None,
        "",
        "d: other files in it",
    ),
    "a module": ("import m\nprint(m.x)", "lib/m.py", "x = 1", "x = 2", "lib/m.py: content changed"),
    "a module by name": (
        "import importlib\nprint(importlib.import_module('m').x)",
        "lib/m.py",
        "x = 1",
        "x = 2",
        "lib/m.py: content changed",
    ),
    "a module from a file": (
        ROOT + "from importlib.util import module_from_spec, spec_from_file_location\n"
        "spec = spec_from_file_location('m', root + '/lib/m.py')\n"
        "m = module_from_spec(spec)\nspec.loader.exec_module(m)\nprint(m.x)",
        "lib/m.py",
        "x = 1",
        "x = 2",
        "lib/m.py: content changed",
    ),
    "code that is run": (
        ROOT + "import runpy\nprint(runpy.run_path(root + '/lib/m.py')['x'])",
        "lib/m.py",
        "x = 1",
        "x = 2",
        "lib/m.py: content changed",
    ),
    "code that is executed": (
        ROOT + "exec(open(root + '/lib/m.py').read())\nprint(x)",
        "lib/m.py",
        "x = 1",
        "x = 2",
        "lib/m.py: content changed",
    ),
    "a module that is forgotten": (
        "import sys, m\nprint(m.x)\ndel sys.modules['m']",
        "lib/m.py",
        "x = 1",
        "x = 2",
        "lib/m.py: content changed",
    ),
    "a module that comes": (
        "try:\n    import extra\n    print('extra')\nexcept ImportError:\n    print('none')",
        "lib/extra.py",
        None,
        "",
        "lib/extra.py now exists",
    ),
    "a module that hides another": (
        "import colorsys\nprint(hasattr(colorsys, 'ONE_THIRD'))",
        "lib/colorsys.py",
        None,
        "",
        "lib/colorsys.py now exists",
    ),
    "a file in a child": (
        ROOT + "import subprocess\nprint(subprocess.run([sys.executable, '-c', 'import sys; "
        "print(open(sys.argv[1]).read())', root + '/x'], capture_output=True, text=True).stdout)",
        "x",
        "1",
        "2",
        "x: content changed",
    ),
    "a database": (
        ROOT + "import sqlite3\ntry:\n    sqlite3.connect(f'file:{root}/x?mode=ro').execute('select 1')\n"
        "except sqlite3.Error as e:\n    print(e)\nprint(os.path.getsize(root + '/x'))",
        "x",
        "1",
        "22",
        "x",
    ),
}
FORKED = {
    "a file in a fork": (
        ROOT + "import time\npid = os.fork()\nif not pid:\n    print(open(root + '/x').read())\n    os._exit(0)\n"
        "os.waitpid(pid, 0)",
        "x",
        "1",
        "2",
        "x: content changed",
    ),
    "a module in a pool": (
        (
            "import multiprocessing\n\n\ndef f(_):\n    import m\n    return m.x\n\n\n"
            "with multiprocessing.get_context('fork').Pool(1) as pool:\n    print(pool.map(f, [1]))"
        ),
        "lib/m.py",
        "x = 1",
        "x = 2",
        "lib/m.py: content changed",
    ),
}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=name) for name, case in CASES.items()]
    + [pytest.param(case, id=name, marks=linux) for name, case in FORKED.items()],
)
def test_a_change_of_what_a_block_read_runs_it_again(
    run: Runner, tmp_path: Path, case: tuple[str, str, str | None, str | None, str]
) -> None:
    code, name, before, after, reason = case
    (tmp_path / "lib").mkdir()
    (tmp_path / "d").mkdir()
    if before is not None:
        write(tmp_path, name, before)
    first = run(code, paths=["lib"])
    assert run(code, paths=["lib"]) == first, "unchanged, so a hit"
    config = Config(root=tmp_path, paths=("lib",))
    assert [row.why for row in block_reasons(Lookup(config), [block(code)])] == [("hit",)]
    if after is None:
        (tmp_path / name).unlink()
    else:
        write(tmp_path, name, after)
    (row,) = block_reasons(Lookup(config), [block(code)])
    assert any(reason in why for why in row.why), row
    second = run(code, paths=["lib"])
    assert printed_text(second[0]) != printed_text(first[0])
    assert run(code, paths=["lib"]) == second


def prepare_imports(folder: Path) -> None:
    for name in ("first", "second/ns", "third"):
        (folder / name).mkdir(parents=True)
    write(folder, "second/ns/m.py", "")
    write(folder, "second/own.py", "import sys\nsys.modules[__name__] = type('Own', (), {'x': 1})\n")


IMPORTS = {
    "a module of the library": "import colorsys\nprint(colorsys.__name__)",
    "a package": "import PIL\nprint(PIL.__name__)",
    "a module below a namespace": "import ns.m\nprint(ns.m.__name__)",
    "a namespace": "import ns\nprint(ns.__name__)",
    "a module that replaces itself": "import own\nprint(own.x)",
    "nothing": "try:\n    import none\nexcept ImportError:\n    print('none')",
}


@pytest.mark.parametrize(
    ("code", "path"),
    [
        pytest.param("a module of the library", "first/colorsys.txt", id="a text"),
        pytest.param("a module of the library", "first/colorsys", id="a file without an ending"),
        pytest.param("a module of the library", "first/colorsys.cpython-27.so", id="a library of another Python"),
        pytest.param("a module of the library", "first/colorsys.pyc", id="bytecode"),
        pytest.param("a module of the library", "first/colorsys/", id="an empty folder"),
        pytest.param("a module of the library", "first/colorsys/data.csv", id="a folder of data"),
        pytest.param("a module of the library", "first/colorsys/part.py", id="a folder of modules"),
        pytest.param("a module of the library", "first/colorsys.py/", id="a folder with the name of a module"),
        pytest.param("a module of the library", "first/colorsys/__init__.py/", id="a folder with such a folder"),
        pytest.param("a package", "first/PIL/readme.txt", id="a folder with the name of a package"),
        pytest.param("a module below a namespace", "first/ns/m/data.csv", id="a folder in a namespace"),
        pytest.param("a namespace", "first/ns/data.csv", id="another part of a namespace"),
        pytest.param("nothing", "first/none.txt", id="a text that is not imported"),
        pytest.param("a module that replaces itself", "first/own/data.csv", id="a module that replaces itself"),
    ],
)
def test_what_python_does_not_import_is_no_reason_to_run_again(
    run: Runner, tmp_path: Path, code: str, path: str
) -> None:
    prepare_imports(tmp_path)
    if path.endswith("/"):
        (tmp_path / path).mkdir(parents=True)
    else:
        write(tmp_path, path, "")
    paths = ("first", "second")
    run(IMPORTS[code], paths=paths)
    (row,) = block_reasons(Lookup(Config(root=tmp_path, paths=paths)), [block(IMPORTS[code])])
    assert row.why == ("hit",)


@pytest.mark.parametrize(
    ("code", "path", "reason"),
    [
        pytest.param("a module of the library", "first/colorsys.py", "first/colorsys.py", id="a module"),
        pytest.param("a module of the library", "first/colorsys.so", "first/colorsys.so", id="an extension module"),
        pytest.param(
            "a module of the library", "first/colorsys/__init__.py", "first/colorsys/__init__.py", id="a package"
        ),
        pytest.param("a module below a namespace", "first/ns/m.py", "first/ns/m.py", id="a module in a namespace"),
        pytest.param(
            "a namespace", "second/ns/__init__.py", "second/ns/__init__.py", id="a package in place of a namespace"
        ),
        pytest.param("a namespace", "third/ns.py", "third/ns.py", id="a module behind a namespace"),
        pytest.param("a namespace", "third/ns/data.csv", "third/ns", id="another part of a namespace"),
        pytest.param("nothing", "second/none/data.csv", "second/none", id="a namespace"),
    ],
)
def test_what_python_would_import_instead_is_a_reason_to_run_again(
    run: Runner, tmp_path: Path, code: str, path: str, reason: str
) -> None:
    prepare_imports(tmp_path)
    (tmp_path / "first/colorsys").mkdir()
    (tmp_path / "first/ns").mkdir()
    paths = ("first", "second", "third")
    run(IMPORTS[code], paths=paths)
    write(tmp_path, path, "")
    (row,) = block_reasons(Lookup(Config(root=tmp_path, paths=paths)), [block(IMPORTS[code])])
    assert row.why == (f"{reason} now exists",)


def test_what_changes_back_is_a_hit_again(run: Runner, tmp_path: Path) -> None:
    code = ROOT + READ.format("x")
    runs = []
    for text in ("1", "2", "1"):
        write(tmp_path, "x", text)
        runs.append(run(code)[0])
    assert runs[0] == runs[2] != runs[1]


def test_a_block_depends_on_what_those_above_it_have_read(run: Runner, tmp_path: Path) -> None:
    codes = (ROOT + "x = open(root + '/x').read()", "print(x)")
    write(tmp_path, "x", "1")
    assert printed_text(run(*codes)[1]) == "1\n"
    write(tmp_path, "x", "2")
    assert printed_text(run(*codes)[1]) == "2\n"


def test_a_lower_block_s_inputs_do_not_touch_those_above(run: Runner, tmp_path: Path) -> None:
    codes = (ROOT + "import time\nprint(time.time_ns())", READ.format("x"))
    write(tmp_path, "x", "1")
    run(*codes)
    write(tmp_path, "x", "2")
    rows = list(block_reasons(Lookup(Config(root=tmp_path)), [block(code) for code in codes]))
    assert [row.why[0] for row in rows] == ["hit", "x: content changed"]


@posix
@pytest.mark.parametrize("age", [0, 10])
def test_a_file_that_is_edited_while_its_block_runs_is_not_stored_as_unchanged(
    run: Runner, tmp_path: Path, age: int
) -> None:
    write(tmp_path, "x", "1")
    os.utime(tmp_path / "x", (time.time() - age,) * 2)
    change = f"import subprocess\nsubprocess.run(['sh', '-c', 'sleep 0.2; echo 2 > {tmp_path / 'x'}'])"
    code = ROOT + READ.format("x") + change
    assert printed_text(run(code)[0]) == "1"
    assert printed_text(run(code)[0]) == "2\n"


def test_a_file_that_was_just_written_is_known_by_its_content(run: Runner, tmp_path: Path) -> None:
    code = ROOT + READ.format("x")
    write(tmp_path, "x", "1")  # so recently that a second edit may keep the modification time
    assert printed_text(run(code)[0]) == "1"
    status = (tmp_path / "x").stat()
    write(tmp_path, "x", "2")
    os.utime(tmp_path / "x", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert printed_text(run(code)[0]) == "2"


def test_what_the_session_wrote_is_no_input(run: Runner, tmp_path: Path) -> None:
    code = ROOT + "open(root + '/out', 'w').write('1')\nprint(open(root + '/out').read())\nopen('own', 'w').close()"
    code += "\nprint(os.path.exists('own'), os.listdir())"
    first = run(code, sandbox=True)
    (tmp_path / "out").unlink()
    assert run(code, sandbox=True) == first
    assert not [each for each in first[0].inputs if each.name == "out"]


def test_the_library_of_python_and_the_system_s_folders_are_no_inputs(run: Runner) -> None:
    (first,) = run("import decimal, os\nopen('/proc/self/stat').close()\nopen(os.devnull).close()")
    assert [each for each in first.inputs if each.kind != "missing"] == []


def test_the_same_code_in_two_sessions_runs_in_each(run: Runner) -> None:
    code = "import random\nprint(random.random())"
    texts = {printed_text(each) for each in run(block(code, "a"), block(code, "b"), block(code, ""), block(code, ""))}
    assert len(texts) == 4


def test_a_block_above_an_unnamed_one_does_not_touch_it(run: Runner) -> None:
    code = "import random\nprint(random.random())"
    first = run(block(code, ""))[0]
    assert run(block("1", ""), block(code, ""))[1] == first


@pytest.mark.parametrize(
    ("code", "shows_lines"),
    [
        ("import logging\nlogging.basicConfig(format='%(lineno)d')\nlogging.warning('x')", True),
        ("import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    text = traceback.format_exc()\ntext", True),
        ("import sys\nprint(sys._getframe().f_lineno)", True),
        ("import inspect\nprint(inspect.currentframe().f_lineno)", True),
        ("import warnings\nwarnings.warn('x')", True),
        ("from collections import namedtuple\nP = namedtuple('P', 'x')\nprint(P(1))", False),
        ("import typing\nT = typing.TypeVar('T')\nprint(T)", False),
        ("print(1)", False),
    ],
)
def test_a_block_that_shows_line_numbers_runs_again_when_it_moves(run: Runner, code: str, shows_lines: bool) -> None:
    first = run(block(code, line=1))
    moved = run(block(code, line=7))
    assert (moved != first) == shows_lines


CHILD = "import subprocess, sys\nsubprocess.run([sys.executable, {}'import os; print(os.environ[\"PATH\"])'])"
READS_A_VARIABLE = {
    "a block": "import os\nprint(os.environ['PATH'].count(os.pathsep))",
    "a child": CHILD.format("'-c', "),
    "an isolated child": CHILD.format("'-I', '-c', "),
    "a shell": "import os\nos.system('echo $PATH')",
    "a copy": "import os\nprint(sorted({**os.environ}['PATH'].split(os.pathsep)))",
}


@posix
@pytest.mark.parametrize("reader", READS_A_VARIABLE)
def test_the_environment_of_a_block_counts(run: Runner, monkeypatch: pytest.MonkeyPatch, reader: str) -> None:
    first = run(READS_A_VARIABLE[reader])
    assert run(READS_A_VARIABLE[reader]) == first
    monkeypatch.setenv("PATH", os.environ["PATH"] + os.pathsep + "/more")
    assert printed_text(run(READS_A_VARIABLE[reader])[0]) != printed_text(first[0])


@posix
def test_a_program_that_a_block_starts_counts(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "say"
    write(tmp_path, "bin/say", "#!/bin/sh\necho 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    for code in ("import subprocess\nsubprocess.run('say')", "import os\nprint(os.system('say'))"):
        write(tmp_path, "bin/say", "#!/bin/sh\necho 1\n")
        first = run(code)[0]
        write(tmp_path, "bin/say", "#!/bin/sh\necho 2\n")
        assert printed_text(run(code)[0]) == printed_text(first).replace("1", "2")


@posix
def test_a_program_that_changes_while_its_block_runs_is_never_stored_as_unchanged(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "say"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho old\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    code = (
        "import pathlib, subprocess\nprint(subprocess.run(['say'], capture_output=True, text=True).stdout)\n"
        f"pathlib.Path({str(program)!r}).write_text('#!/bin/sh\\necho new\\n')"
    )
    assert printed_text(run(code)[0]).strip() == "old"
    assert printed_text(run(code)[0]).strip() == "new", "it ran again"


def install(folder: Path, version: str, text: str) -> None:
    """Install a package `thing` in a folder of packages."""
    for old in folder.glob("thing-*"):
        for path in old.iterdir():
            path.unlink()
        old.rmdir()
    metadata = f"thing-{version}.dist-info"
    write(folder, f"{metadata}/METADATA", f"Metadata-Version: 2.1\nName: thing\nVersion: {version}\n")
    write(folder, "thing/__init__.py", text)
    write(folder, f"{metadata}/RECORD", f"thing/__init__.py,sha256={hash(text)},1\n{metadata}/RECORD,,\n")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of packages that kernels see, and that this process takes for one of its own."""
    folder = tmp_path / "env" / "site-packages"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.mark.parametrize("statement", ["import thing", "import importlib\nthing = importlib.import_module('thing')"])
@pytest.mark.parametrize(
    ("version", "change"), [("2.0", "thing 1.0 → 2.0"), ("1.0", "thing 1.0: reinstalled, changed")]
)
def test_a_package_that_no_setting_names_counts(
    run: Runner, packages: Path, tmp_path: Path, statement: str, version: str, change: str
) -> None:
    install(packages, "1.0", "x = 1\n")
    code = f"import sys\nsys.path.insert(0, {str(packages)!r})\n{statement}\nprint(thing.x)"
    reader = InputReader(Config(root=tmp_path))
    (owner,) = reader.packages.owners("thing")
    digest = reader.read("package", owner)
    time.sleep(0.02)  # the folder's modification time tells of an installation
    install(packages, version, "x = 2\n")
    reader.packages.refresh()
    assert printed_text(run(code)[0]) == "2\n"
    assert describe_change(Input(kind="package", name=owner, digest=digest), reader.read("package", owner)) == change


def test_a_package_of_the_environment_is_an_input_by_its_distribution(run: Runner) -> None:
    inputs = {(each.kind, each.name): each.digest for each in run("import PIL.Image")[0].inputs}
    assert inputs["package", "pillow"].partition(" ")[0]
    assert not [name for kind, name in inputs if kind == "file"]


def test_the_network_is_noted(run: Runner) -> None:
    code = (
        "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 9), timeout=0.01)\nexcept OSError:\n    pass"
    )
    local = code.replace("192.0.2.1", "127.0.0.1")
    assert [run(each)[0].provenance.used_network for each in (code, local)] == [True, False]


def test_inputs_are_listed_in_words(run: Runner, tmp_path: Path) -> None:
    write(tmp_path, "x", "1")
    code = ROOT + READ.format("x") + "import PIL"
    run(code)
    (row,) = block_inputs(Lookup(Config(root=tmp_path)), [block(code)])
    assert "file x" in row.inputs
    assert any(words.startswith("package pillow ") for words in row.inputs)


@pytest.mark.parametrize(
    ("each", "words"),
    [
        (Input(kind="missing", name="lib", digest="a\0b\0c\0d\0e\0f\0g"), "no a, b, c, d, e and 2 more in lib"),
        (Input(kind="file", name="x", digest=""), "file x, which does not exist"),
        (Input(kind="package", name="numpy", digest="2.4.1 abc"), "package numpy 2.4.1"),
        (Input(kind="entry_points", name="", digest="f"), "plugins of installed packages"),
    ],
)
def test_an_input_in_words(each: Input, words: str) -> None:
    assert describe_input(each) == words


def test_checking_a_warm_page_reads_no_file(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "x", "1" * 1000)
    os.utime(tmp_path / "x", (1, 1))
    code = ROOT + READ.format("x")
    run(code)
    read: list[str] = []
    monkeypatch.setattr("codeout.cache.input_reader.digest_file", read.append)
    (cached,) = Lookup(Config(root=tmp_path)).load(group_sessions([block(code)]))
    assert not cached.is_stale
    assert read == []


def test_the_fallback_survives_whatever_is_opened(tmp_path: Path) -> None:
    """Paths of every type, in a process of its own: a hook stays until its process ends."""
    script = f"""
import os, pathlib
from codeout.observe.audit import AuditObserver
from codeout.observe.places import Places
observer = AuditObserver(Places({str(tmp_path)!r}, "", "/"))
observer.start()
for path in ("a", b"a", pathlib.Path("a"), "a\\0b", 12345, object(), None, ""):
    for function in (open, os.listdir, os.scandir, os.stat):
        try:
            function(path)
        except (OSError, TypeError, ValueError):
            pass
print(sorted({{kind for kind, *_ in observer.take()["observed"]}} & {{"missing", "folder"}}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout == "['folder', 'missing']\n"
