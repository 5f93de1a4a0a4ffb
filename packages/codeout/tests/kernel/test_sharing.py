"""A fork is a copy, or it is not made: after an edit, and with other values, outputs are those of a full run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from codeout import Config, Engine, Run, Stream
from codeout.model.blocks import Block
from codeout.model.sweeps import parse_sweep
from helpers import block, linux, printed_text

pytestmark = linux

COUNTER = (
    "import subprocess, sys\n"
    "code = \"n = 0\\nfor line in __import__('sys').stdin:\\n    n += int(line)\\n    print(n)\"\n"
    "p = subprocess.Popen([sys.executable, '-uc', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)"
)
ASK = "p.stdin.write('{}\\n'); p.stdin.flush(); print('{{word}}', p.stdout.readline().strip())"
POOL = "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor"
# name: (first block, second block, what a full run shows, what stands in the way of a checkpoint: "" if nothing does)
SHARED = {
    "a value of multiprocessing": (
        "import multiprocessing\nv = multiprocessing.Value('i', 0)",
        "v.value += 1; print('{word}', v.value)",
        "1",
        "memory is shared",
    ),
    "a memory map": ("import mmap\nm = mmap.mmap(-1, 9)", "m[0] += 1; print('{word}', m[0])", "1", "memory is shared"),
    "shared memory with a name": (
        "from multiprocessing import shared_memory\nm = shared_memory.SharedMemory(create=True, size=9)",
        "m.buf[0] += 1; print('{word}', m.buf[0])",
        "1",
        "program",
    ),
    "a program and its pipes": (COUNTER, ASK.format(1), "1", "program that a block has started is there (python"),
    "a child that ends": (
        "import subprocess\np = subprocess.Popen(['sh', '-c', 'sleep 0.1; exit 7'])",
        "print('{word}', p.wait())",
        "7",
        "program that a block has started",
    ),
    "a queue": (
        "from multiprocessing import SimpleQueue\nq = SimpleQueue(); q.put(42)",
        "print('{word}', q.get())",
        "42",
        "is shared",
    ),
    "a pipe": (
        "import os\nr, w = os.pipe(); _ = os.write(w, b'abc')",
        "print('{word}', os.read(r, 1).decode())",
        "a",
        "is open: pipe",
    ),
    "sockets": (
        "import socket\na, b = socket.socketpair(); _ = a.send(b'abc')",
        "print('{word}', b.recv(1).decode())",
        "a",
        "is open: socket",
    ),
    "a file without a name": (
        "import tempfile\nt = tempfile.TemporaryFile('w+'); _ = t.write('abc'), t.seek(0)",
        "print('{word}', t.read(1))",
        "a",
        "is open",
    ),
    "a file in memory": (
        "import os\nf = os.memfd_create('x'); _ = os.write(f, b'abc'), os.lseek(f, 0, 0)",
        "print('{word}', os.read(f, 1).decode())",
        "a",
        "is open",
    ),
    "a counter of events": ("import os\nf = os.eventfd(5)", "print('{word}', os.eventfd_read(f))", "5", "eventfd"),
    "a terminal": (
        "import os\nm, s = os.openpty(); _ = os.write(s, b'a\\nb\\n')",
        "print('{word}', os.read(m, 1).decode())",
        "a",
        "is open",
    ),
    "a file that is read on": (
        "_ = open('x', 'w').write('a\\nb\\n'); f = open('x')",
        "print('{word}', f.readline().strip())",
        "a",
        "",
    ),
    "a file that is written on": (
        "f = open('x', 'w+')",
        "_ = f.write('a'); f.flush(); print('{word}', open('x').read())",
        "a",
        "x is open",
    ),
    "a file that is appended to": (
        "_ = open('x', 'w').write('a')",
        "with open('x', 'a') as f: _ = f.write('b')\nprint('{word}', open('x').read())",
        "ab",
        "",
    ),
    "a file that is renamed": (
        "import os\n_ = open('x', 'w').write('a')",
        "os.rename('x', 'y'); print('{word}', os.path.exists('x'))",
        "False",
        "",
    ),
    "a database": (
        (
            "import sqlite3\nd = sqlite3.connect('x.db'); _ = d.execute('create table if not exists t (a)')\n"
            "_ = d.execute('delete from t'); d.commit()"
        ),
        "d.execute('insert into t values (1)'); d.commit(); print('{word}', *d.execute('select * from t').fetchone())",
        "1",
        "x.db is open",
    ),
    "an idle pool of threads": (
        f"{POOL}(2); print(sum(pool.map(abs, range(9))))\nimport time; time.sleep(0.2)",
        "print('{word}', sum(pool.map(abs, range(8))), len(pool._threads) > 0)",
        "28 True",
        "",
    ),
    "a pool of threads that was never used": (f"{POOL}()", "print('{word}', pool.submit(abs, -3).result())", "3", ""),
    "the threads of asyncio": (
        "import asyncio, time\nawait asyncio.to_thread(abs, 1); time.sleep(0.2)",
        "print('{word}', await asyncio.to_thread(abs, -4))",
        "4",
        "eventpoll",
    ),
    "a pool of threads that works": (
        f"{POOL}(1)\nimport threading\ne = threading.Event(); f = pool.submit(e.wait)",
        "e.set(); print('{word}', f.result(5))",
        "True",
        "a thread runs (ThreadPoolExecutor-0_0)",
    ),
    "a pool with more work than threads": (
        f"{POOL}(1)\nimport threading\ne = threading.Event(); f = [pool.submit(e.wait), pool.submit(abs, -5)]",
        "e.set(); print('{word}', f[1].result(5))",
        "5",
        "a thread runs (ThreadPoolExecutor-0_0)",
    ),
    "a thread with a name": (
        "import threading\ne = threading.Event(); t = threading.Thread(target=e.wait, name='mine'); t.start()",
        "e.set(); t.join(5); print('{word}', t.is_alive())",
        "False",
        "a thread runs (mine)",
    ),
    "a pool of multiprocessing's threads": (
        "from multiprocessing.pool import ThreadPool\npool = ThreadPool(1)",
        "print('{word}', pool.apply(abs, (-6,)))",
        "6",
        "memory is shared",
    ),
    "nothing": ("x = [1]", "x.append(2); print('{word}', len(x))", "2", ""),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in SHARED.items()])
def test_an_edit_shows_what_a_full_run_shows(tmp_path: Path, case: tuple[str, str, str, str]) -> None:
    first, second, shown, obstacle = case
    engine = Engine(Config.from_options({"root": tmp_path, "checkpoints": True, "timeout": 20}))
    for word in ("one", "two", "three"):
        runs = engine.run([block(first), block(second.format(word=word), line=20)])
        assert printed_text(runs[1]) == f"{word} {shown}\n"
    (timing,) = engine.lookup.cache.timings.load_all().values()
    engine.close()
    assert obstacle in timing.obstacle
    assert bool(obstacle) == bool(timing.obstacle)


def swept(code: str) -> Block:
    return block(code, line=20, sweep=parse_sweep("n=1,2,3"))


def printed(run: Run) -> list[str]:
    cases: Sequence[Sequence[object]] = [run.outputs, *(case.outputs for case in run.cases)]
    return ["".join(output.text for output in outputs if isinstance(output, Stream)).strip() for outputs in cases]


WAIT = "import os, tempfile, time\nn = 1\n{}time.sleep(0.2); "
APART = {
    "a program of the block above": (
        COUNTER,
        "n = 1\np.stdin.write(f'{n}\\n'); p.stdin.flush(); print(p.stdout.readline().strip())",
    ),
    "a file of the project": ("0", WAIT.format("open('x', 'w').write(str(n)); ") + "print(open('x').read())"),
    "the temporary folder": (
        "0",
        WAIT.format("name = os.environ['TMPDIR'] + '/x'; open(name, 'w').write(str(n)); ") + "print(open(name).read())",
    ),
    "the temporary folder of Python": (
        "import tempfile\n_ = tempfile.gettempdir()",
        WAIT.format("name = tempfile.gettempdir() + '/x'; open(name, 'w').write(str(n)); ")
        + "print(open(name).read())",
    ),
    "what a child writes": ("0", WAIT.format("os.system(f'echo {n} > x'); ") + "print(open('x').read())"),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in APART.items()])
def test_cases_of_a_sweep_do_not_disturb_each_other_nor_what_is_below(tmp_path: Path, case: tuple[str, str]) -> None:
    above, code = case
    below = block("import os\nprint(open('x').read() if os.path.exists('x') else 1)", line=40)
    engine = Engine(Config.from_options({"root": tmp_path, "timeout": 20, "jobs": 3}))
    _, middle, last = engine.run([block(above), swept(code), below])
    engine.close()
    assert printed(middle) == ["1", "2", "3"]
    assert printed_text(last).strip() == "1"


CHECKS = {
    "a name": "x = 2",
    "an object": "y.append(2)",
    "a removal": "del x",
    "a module": "import os; os.environ['A'] = '2'",
    "random numbers": "import random; random.random()",
    "a generator of the author's": "g.random()",
    "the working folder": "import os; os.chdir('/')",
}


@pytest.mark.parametrize("checks", CHECKS.values(), ids=CHECKS.keys())
def test_checks_change_nothing_that_is_shown(tmp_path: Path, checks: str) -> None:
    start = "import os, random\nrandom.seed(0); g = random.Random(0); x, y = 1, [1]"
    show = "print(x, y, os.environ.get('A'), os.getcwd(), random.random(), g.random())"

    def shown(folder: Path, checks: str) -> str:
        config = Config.from_options({"root": folder, "workdir": str(tmp_path)})
        engine = Engine(config)
        runs = engine.run([block(start, checks=checks, checks_line=9), block(show, line=20)])
        engine.close()
        return printed_text(runs[1])

    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    assert shown(tmp_path / "with", checks) == shown(tmp_path / "without", "")


def test_where_no_copy_can_be_made_checks_run_all_the_same_and_the_run_says_so(tmp_path: Path) -> None:
    engine = Engine(Config.from_options({"root": tmp_path, "errors": "show"}))
    code = "import os, random\nrandom.seed(0); r, w = os.pipe()"
    runs = engine.run([block(code, checks="random.random()", checks_line=9), block("print(random.random())", line=20)])
    failed = engine.run([block(code, checks="assert not r", checks_line=9)])
    engine.close()
    assert "pipe" in runs[0].provenance.checks_obstacle
    assert printed_text(runs[1]).startswith("0.8444"), "the state of random numbers is kept"
    assert failed[0].error
    assert failed[0].error.type == "AssertionError"


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ("assert x == 2, 'wrong'", "wrong"),
        ("print(1)", "must not print"),
        ("import os; os._exit(3)", "the checks exited with code 3"),
        ("import os; os.kill(os.getpid(), 9)", "the checks were killed by SIGKILL"),
    ],
)
def test_what_checks_do_in_a_copy_is_noticed(tmp_path: Path, checks: str, message: str) -> None:
    engine = Engine(Config.from_options({"root": tmp_path, "errors": "show"}))
    (run,) = engine.run([block("x = 1", checks=checks, checks_line=9)])
    engine.close()
    assert run.error
    assert message in run.error.message
