"""What is read by whatever means is an input: after a change from outside the block runs again, and not before."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codeout import Config, Engine, Run
from codeout.cache.lookup import Lookup
from codeout.cache.status import block_reasons
from helpers import block, linux, printed_text

pytestmark = linux

Change = Callable[[Path], object]


def write(name: str, text: str) -> Change:
    def change(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    return change


def link(target: str) -> Change:
    def change(root: Path) -> None:
        (root / "link").unlink(missing_ok=True)
        (root / "link").symlink_to(target)

    return change


def program(name: str, text: str) -> Change:
    def change(root: Path) -> None:
        write(name, f"#!/bin/sh\necho {text}\n")(root)
        (root / name).chmod(0o755)

    return change


def rows(*values: int) -> Change:
    def change(root: Path) -> None:
        (root / "x.db").unlink(missing_ok=True)
        with sqlite3.connect(root / "x.db") as database:
            database.execute("create table t (a)")
            database.executemany("insert into t values (?)", [(value,) for value in values])
        database.close()

    return change


def wal_rows(*values: int) -> Change:
    def change(root: Path) -> None:
        rows()(root)
        with sqlite3.connect(root / "x.db") as database:
            database.execute("pragma journal_mode=wal")
            database.executemany("insert into t values (?)", [(value,) for value in values])
        database.close()

    return change


def array(kind: str, value: int) -> Change:
    """Return what writes a file of a library, by that library."""
    codes = {
        "parquet": f"import pyarrow as p, pyarrow.parquet as q\nq.write_table(p.table({{'a': [{value}]}}), 'x')",
        "hdf5": f"import h5py\nwith h5py.File('x.h5', 'w') as f: f['a'] = [{value}]",
        "picture": f"import cv2, numpy\ncv2.imwrite('x.png', numpy.full((2, 2), {value}, 'uint8'))",
    }
    return lambda root: subprocess.run([sys.executable, "-c", codes[kind]], cwd=root, check=True)


def commit(text: str) -> Change:
    def change(root: Path) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        if not (root / ".git").exists():
            subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        command = ["git", *identity, "commit", "-q", "--allow-empty", "-m", text]
        subprocess.run(command, cwd=root, check=True)

    return change


def nothing(_: Path) -> None:
    """Leave all as it is."""


CSV = "a\n1\n2\n", "a\n1\n3\n"
READERS: dict[str, tuple[str, Change, Change]] = {
    "polars": (
        "import polars\nprint(polars.read_csv('x.csv')['a'].sum())",
        write("x.csv", CSV[0]),
        write("x.csv", CSV[1]),
    ),
    "polars, lazily": (
        "import polars\nprint(polars.scan_csv('x.csv').collect()['a'].sum())",
        write("x.csv", CSV[0]),
        write("x.csv", CSV[1]),
    ),
    "DuckDB": (
        "import duckdb\nprint(duckdb.sql(\"select sum(a) from 'x.csv'\").fetchall())",
        write("x.csv", CSV[0]),
        write("x.csv", CSV[1]),
    ),
    "Parquet": (
        "import pyarrow.parquet as q\nprint(q.read_table('x'))",
        array("parquet", 1),
        array("parquet", 2),
    ),
    "HDF5": ("import h5py\nprint(h5py.File('x.h5')['a'][:])", array("hdf5", 1), array("hdf5", 2)),
    "OpenCV": ("import cv2\nprint(cv2.imread('x.png').sum())", array("picture", 1), array("picture", 2)),
    "SQLite by a URI": (
        "import sqlite3\nprint(sqlite3.connect('file:x.db?mode=ro', uri=True).execute('select * from t').fetchall())",
        rows(1),
        rows(2),
    ),
    "SQLite with ATTACH": (
        (
            "import sqlite3\nd = sqlite3.connect(':memory:'); _ = d.execute(\"attach 'x.db' as y\")\n"
            "print(d.execute('select * from y.t').fetchall()); d.close()"
        ),
        rows(1),
        rows(2),
    ),
    "SQLite with a write-ahead log": (
        "import sqlite3\nd = sqlite3.connect('x.db'); print(d.execute('select * from t').fetchall()); d.close()",
        wal_rows(1),
        wal_rows(2),
    ),
    "cat": ("import subprocess\nsubprocess.run(['cat', 'x']);", write("x", "1"), write("x", "2")),
    "awk in a shell": ("import os\nos.system(\"awk '{print $1}' x | sort\");", write("x", "1"), write("x", "2")),
    "git": ("import subprocess\nsubprocess.run(['git', 'log', '--format=%s']);", commit("one"), commit("two")),
    "a script of the shell": (
        "import subprocess\nsubprocess.run(['./s.sh']);",
        program("s.sh", "1"),
        program("s.sh", "2"),
    ),
    "Node": (
        "import subprocess\nsubprocess.run(['node', '-e', \"console.log(fs.readFileSync('x', 'utf8'))\"]);",
        write("x", "1"),
        write("x", "2"),
    ),
    "a file that C reads": (
        (
            "import ctypes\nc = ctypes.CDLL(None); fd = c.open(b'x', 0); b = ctypes.create_string_buffer(9)\n"
            "_ = c.read(fd, b, 9); print(b.value); c.close(fd);"
        ),
        write("x", "1"),
        write("x", "2"),
    ),
    "an isolated child": (
        "import subprocess, sys\nsubprocess.run([sys.executable, '-I', '-c', 'print(open(\"x\").read())']);",
        write("x", "1"),
        write("x", "2"),
    ),
    "a child without an environment": (
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(open(\"x\").read())'], env={});",
        write("x", "1"),
        write("x", "2"),
    ),
    "a grandchild": ("import os\nos.system('sh -c \"(cat x)\"');", write("x", "1"), write("x", "2")),
    "a thread": (
        "import threading\nt = threading.Thread(target=lambda: print(open('x').read())); t.start(); t.join()",
        write("x", "1"),
        write("x", "2"),
    ),
    "a path across two pages of memory": (
        f"print(open('./' * 1500 + '{'d/' * 100}x').read())",
        write("d/" * 100 + "x", "1"),
        write("d/" * 100 + "x", "2"),
    ),
}
ATTEMPTS: dict[str, tuple[str, Change, Change]] = {
    "a folder that is created if it is missing": (
        "import os\nos.makedirs('data', exist_ok=True); print(os.listdir('data'))",
        write("data/a", ""),
        write("data/b", ""),
    ),
    "a folder that the block has created": (
        "import os\nos.makedirs('data', exist_ok=True); print(os.listdir('data'))",
        nothing,
        write("data/b", ""),
    ),
    "a folder whose creation fails": (
        "import os\ntry: os.mkdir('data')\nexcept OSError: print(sorted(os.listdir('data')))",
        write("data/a", ""),
        write("data/b", ""),
    ),
    "a file that is opened for appending": (
        "open('x', 'a').close(); print(open('x').read())",
        write("x", "1"),
        write("x", "2"),
    ),
    "a file that is opened for reading and writing": (
        "open('x', 'r+').close(); print(open('x').read())",
        write("x", "1"),
        write("x", "2"),
    ),
    "a file that may not be written": (
        "import os\ntry: os.open('x', os.O_WRONLY | os.O_CREAT | os.O_EXCL)\nexcept OSError: print(open('x').read())",
        write("x", "1"),
        write("x", "2"),
    ),
    "a file that is removed in vain": (
        "import os\ntry: os.rmdir('x')\nexcept OSError: print(open('x').read())",
        write("x", "1"),
        write("x", "2"),
    ),
    "the target of a link that is created": (
        "import os, tempfile\nn = tempfile.mktemp(); os.symlink(os.path.abspath('x'), n); print(open(n).read())",
        write("x", "1"),
        write("x", "2"),
    ),
    "the source of a second name": (
        "import os\nos.link('x', 'y'); print(open('y').read()); os.remove('y')",
        write("x", "1"),
        write("x", "2"),
    ),
    "the source of a renaming": (
        "import os\nos.rename('x', 'y'); print(open('y').read()); os.rename('y', 'x')",
        write("x", "1"),
        write("x", "2"),
    ),
    "a folder that is renamed": (
        "import os\nos.rename('d', 'e'); print(open('e/x').read()); os.rename('e', 'd')",
        write("d/x", "1"),
        write("d/x", "2"),
    ),
    "a link that is followed": (
        "print(open('link').read())",
        lambda root: (write("x", "1")(root), write("y", "2")(root), link("x")(root)),
        link("y"),
    ),
    "a folder behind a link": (
        "import os\nprint(os.listdir('link'))",
        lambda root: (write("d/a", "")(root), link("d")(root)),
        write("d/b", ""),
    ),
    "the way up behind a link": (
        "print(open('link/../x').read())",
        lambda root: (write("d/e/f", "")(root), write("d/x", "1")(root), link("d/e")(root)),
        write("d/x", "2"),
    ),
    "a link that is read": (
        "import os\nprint(os.readlink('link'))",
        link("x"),
        link("y"),
    ),
    "a path that is no link yet": ("import os\nprint(os.path.islink('link'))", nothing, link("x")),
    "relative to a descriptor": (
        "import os\nfd = os.open('d', os.O_RDONLY); print(os.read(os.open('x', os.O_RDONLY, dir_fd=fd), 9))",
        write("d/x", "1"),
        write("d/x", "2"),
    ),
    "relative to another folder": (
        "import os\nos.chdir('d'); print(open('x').read()); os.chdir('..')",
        write("d/x", "1"),
        write("d/x", "2"),
    ),
    "by a descriptor's name": (
        "import os\nfd = os.open('x', os.O_RDONLY); print(open(f'/proc/self/fd/{fd}').read()); os.close(fd)",
        write("x", "1"),
        write("x", "2"),
    ),
    "a list by a descriptor": (
        "import os\nfd = os.open('d', os.O_RDONLY); print(os.listdir(fd)); os.close(fd)",
        write("d/a", ""),
        write("d/b", ""),
    ),
    "access": ("import os\nprint(os.access('x', os.R_OK))", nothing, write("x", "")),
    "lstat": ("import os\nprint(os.lstat('x').st_size)", write("x", "1"), write("x", "22")),
    "lexists": ("import os\nprint(os.path.lexists('x'))", nothing, write("x", "")),
    "sizes of a list": (
        "import os\nprint([each.stat().st_size for each in os.scandir('d')])",
        write("d/a", "1"),
        write("d/a", "22"),
    ),
    "a name that is not UTF-8": (
        "print(open(b'caf\\xe9').read())",
        lambda root: Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9")).write_text("1"),
        lambda root: Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9")).write_text("2"),
    ),
    "a program that was not there": (
        "import shutil\nprint(shutil.which('new', path='bin'))",
        nothing,
        program("bin/new", "1"),
    ),
    "a module that was not there, by another function": (
        (
            "import importlib, sys\nsys.path.insert(0, '.')\ntry: importlib.import_module('fast'); print('fast')\n"
            "except ImportError: print('slow')\nsys.path.pop(0);"
        ),
        nothing,
        write("fast.py", ""),
    ),
    "a module that was looked for only": (
        "import importlib.util, sys\nsys.path.insert(0, '.'); print(importlib.util.find_spec('fast')); del sys.path[0]",
        nothing,
        write("fast.py", ""),
    ),
    "a package beside a module": (
        "import sys\nsys.path.insert(0, '.'); import h; print(h.__file__[-12:]); sys.path.pop(0);",
        write("h.py", ""),
        write("h/__init__.py", ""),
    ),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in (READERS | ATTEMPTS).items()])
def test_a_change_from_outside_runs_the_block_again_and_nothing_else_does(
    tmp_path: Path, case: tuple[str, Change, Change]
) -> None:
    code, before, after = case
    before(tmp_path)
    config = Config.from_options({"root": tmp_path})
    blocks = [block("x = 1"), block(code, line=11)]

    def build() -> list[Run]:
        engine = Engine(config)
        try:
            return engine.run(blocks)
        finally:
            engine.close()

    first = build()
    assert printed_text(first[1])
    assert [row.why for row in block_reasons(Lookup(config), blocks)] == [("hit",), ("hit",)]
    after(tmp_path)
    reasons = [row.why for row in block_reasons(Lookup(config), blocks)]
    assert reasons[0] == ("hit",)
    assert reasons[1] != ("hit",)
    second = build()
    assert printed_text(second[1]) != printed_text(first[1])
    assert build() == second


# Each is run as one block, and as one for each part.
OWN = {
    "a file": "open('x', 'w').write('1')\n\nprint(open('x').read())",
    "a file in a folder of its own": (
        "import os; os.makedirs('d/e', exist_ok=True); open('d/e/x', 'w').close()\n\nprint(os.listdir('d/e'))"
    ),
    "a folder of its own": "import os; os.makedirs('d', exist_ok=True)\n\nprint(os.listdir('d'))",
    "a file that it looks for first": (
        "import os\nif not os.path.exists('x'): open('x', 'w').close()\n\nprint(os.path.exists('x'))"
    ),
    "a folder that it renames": (
        "import os, shutil; os.mkdir('new'); open('new/x', 'w').close(); shutil.rmtree('d', True)\n\n"
        "os.rename('new', 'd')\n\nprint(os.listdir('d'))"
    ),
    "a file that it removes": "import os; open('x', 'w').close()\n\nos.remove('x')\n\nprint(os.path.exists('x'))",
    "a file that was there and that it removes": "import os; os.remove('gone')\n\nprint(os.path.exists('gone'))",
    "a file that it overwrites": "open('old', 'w').write('2')\n\nprint(open('old').read())",
    "a file that was there and that it renames": "import os; os.rename('gone', 'x')\n\nprint(open('x').read())",
    "what a child writes": "import os; os.system('echo 1 > x')\n\nos.system('cat x');",
    "a database": (
        "import sqlite3; d = sqlite3.connect('x.db')\n"
        "_ = d.execute('create table if not exists t (a)')\n\nd.close(); print(1)"
    ),
    "temporary files": (
        "import tempfile; f = tempfile.NamedTemporaryFile('w'); f.write('1'); f.flush()\n\nprint(open(f.name).read())"
    ),
    "shared memory": (
        "from multiprocessing.shared_memory import SharedMemory\nm = SharedMemory(create=True, size=9)\n\n"
        "m.buf[0] = 1; print(m.buf[0]); m.close(); m.unlink()"
    ),
}


@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in OWN.items()])
@pytest.mark.parametrize("is_divided", [False, True])
def test_what_a_session_makes_is_no_reason_to_run_again(tmp_path: Path, code: str, *, is_divided: bool) -> None:
    (tmp_path / "old").write_text("1")
    (tmp_path / "gone").write_text("1")
    config = Config.from_options({"root": tmp_path})
    blocks = [block(part, line=9 * n) for n, part in enumerate(code.split("\n\n") if is_divided else [code], start=1)]
    engine = Engine(config)
    engine.run(blocks)
    engine.close()
    assert {row.why for row in block_reasons(Lookup(config), blocks)} == {("hit",)}


def test_a_package_that_was_not_there_is_an_input(tmp_path: Path) -> None:
    """In an environment of its own: what is installed there must not touch the other tests."""
    script = """
import sys
from pathlib import Path
from codeout import Config, Engine
from codeout.cache.lookup import Lookup
from codeout.cache.status import block_reasons
sys.path.insert(0, sys.argv[1])
from helpers import block, printed_text
config = Config.from_options({"root": Path(sys.argv[2])})
code = "from importlib.metadata import version\\ntry: print(version('thing'))\\nexcept Exception: print('none')"
engine = Engine(config)
text = printed_text(engine.run([block(code)])[0]).strip()
(row,) = block_reasons(Lookup(config), [block(code)])
print(text, *row.why)
engine.close()
"""
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", environment], check=True)
    ours = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    theirs = next((environment / "lib").glob("python*/site-packages"))
    (theirs / "ours.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n")
    (tmp_path / "site").mkdir()

    def run() -> str:
        command = [environment / "bin/python", "-c", script, Path(__file__).parents[1], tmp_path / "site"]
        return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout.strip()

    assert run() == "none hit"
    (theirs / "thing-1.0.dist-info").mkdir()
    (theirs / "thing-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
    assert run() == "1.0 hit"
