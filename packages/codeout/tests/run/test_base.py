"""Kernels are forks of processes that have imported what a session begins with, and nobody can tell."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from codeout import Config, Engine, Run
from codeout.cache.timings import load_base_size
from codeout.errors import BlockError
from codeout.model.blocks import Block, group_sessions
from helpers import block, kernels, linux, printed_text
from servers import until

pytestmark = linux

HEAVY = "import os, time\ntime.sleep(0.3)\nPROCESS = os.getpid()\nVALUE = 1\n"
AHEAD = "import heavy\nimport os\nprint(heavy.PROCESS != os.getpid())"
SAME = {
    "modules": "import sys, email.mime.text\nprint(sorted(sys.modules))",
    "modules before an import": "import json, sys\nprint('heavy' in sys.modules)\nimport heavy\nprint(heavy.VALUE)",
    "names": "import heavy\nprint(sorted(globals()), __name__)",
    "place": "import os, sys\nprint(os.getcwd(), sys.argv, sorted(os.environ))",
    "files": "import heavy, tempfile, os\nprint(os.listdir(tempfile.gettempdir()), os.environ['TMPDIR'][-5:])",
    "process": "import os\nprint(os.getsid(0) == os.getpid() == os.getpgid(0))",
    "threads": "import heavy, threading\nprint([thread.name for thread in threading.enumerate()])",
    "children": "import subprocess\nprint(subprocess.run(['echo', 'a'], capture_output=True, text=True).stdout)",
    "descriptors": "import os\nprint(len(os.listdir('/proc/self/fd')) < 12)",
    "seed": "import heavy, random\nrandom.seed(1)\nprint(random.random())",
    "prelude": "import heavy\nprint(SEED, random.random())",
    "warnings": "import heavy\nimport warnings\nwarnings.warn('old', DeprecationWarning)",
    "error": "import heavy\n1 / 0",
    "module that is missing": "import heavy\nimport nowhere",
    "name that is missing": "from heavy import nothing",
    "syntax": "import heavy\nx = = 1",
    "signals": "import signal\nprint(signal.getsignal(signal.SIGCHLD), signal.getsignal(signal.SIGINT))",
    "import hooks": "import builtins, importlib\nprint(builtins.__import__, importlib.import_module.__module__)",
    "loaders": "from importlib.machinery import SourceFileLoader as L\nprint('exec_module' in vars(L))",
    "prints while it loads": "import loud\nprint('after')",
    "warns while it loads": "import warns\nprint('after')",
    "fails while it loads": "import fails\nprint('after')",
    "starts a thread while it loads": "import starts\nprint(starts.threading.active_count())",
    "package": "from package.part import VALUE as one\nimport package.other as other\nprint(one, other.VALUE)",
    "a name or a module": "from package import part, VALUE\nprint(part.VALUE, VALUE)",
    "all names": "from package import *\nprint(VALUE, sorted(n for n in globals() if not n.startswith('_')))",
    "loads when it is asked": "import sys\nfrom lazy import thing\nprint(thing.VALUE, 'lazy.thing' in sys.modules)",
    "not asked": "import sys, lazy\nprint('lazy.thing' in sys.modules, hasattr(lazy, 'VALUE'))",
}
MODULES = {
    "heavy.py": HEAVY,
    "loud.py": "import heavy\nprint('hello')\n",
    "warns.py": "import heavy, warnings\nwarnings.warn('old')\n",
    "fails.py": "import heavy\nraise ImportError('no')\n",
    "starts.py": "import heavy, threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n",
    "writes.py": "import heavy, os\nPROCESS = os.getpid()\nopen('written.txt', 'a').write('x')\n",
    "package/__init__.py": "VALUE = 2\n",
    "package/part.py": "import heavy\nVALUE = 3\n",
    "package/other.py": "VALUE = 4\n",
    "lazy/__init__.py": (
        "import importlib\n"
        "def __getattr__(name):\n"
        "    if name != 'thing': raise AttributeError(name)\n"
        "    return importlib.import_module('lazy.thing')\n"
    ),
    "lazy/thing.py": "import heavy\nVALUE = 5\n",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name, text in {**MODULES, "prelude.py": "import random\nSEED = 3\nrandom.seed(SEED)\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def engine_of(site: Path, **settings: object) -> Engine:
    """Return an engine of the site whose sessions import from its folder."""
    return Engine(Config.from_options({"root": site, "paths": ["."], "errors": "show", **settings}))


def sessions(*codes: str) -> list[Block]:
    """Return blocks, each of a session of its own."""
    return [block(code, session=f"s{number}", line=1) for number, code in enumerate(codes)]


def run_once(site: Path, *, base: bool, cache: str) -> list[Run]:
    """Run all codes with a cache of their own."""
    (site / "written.txt").unlink(missing_ok=True)
    engine = engine_of(site, base=base, cache=cache, prelude="prelude.py", jobs=1)
    try:
        return engine.run(sessions(*SAME.values()))
    finally:
        engine.close()


@pytest.fixture(scope="module")
def both_ways(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Run, Run]]:
    """Return for each code its run in a kernel that has started by itself, and in a fork."""
    folder = tmp_path_factory.mktemp("both")
    for name, text in {**MODULES, "prelude.py": "import random\nSEED = 3\nrandom.seed(SEED)\n"}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    alone, forked = (run_once(folder, base=base, cache=f".{base}") for base in (False, True))
    return dict(zip(SAME, zip(alone, forked, strict=True), strict=True))


@pytest.mark.parametrize("name", SAME)
def test_a_fork_does_and_reads_what_a_kernel_does_that_started_by_itself(
    name: str, both_ways: dict[str, tuple[Run, Run]]
) -> None:
    alone, forked = both_ways[name]
    assert forked.outputs == alone.outputs
    assert forked.inputs == alone.inputs


def test_what_sessions_begin_with_is_imported_once(site: Path) -> None:
    runs = engine_of(site).run(sessions(*[f"{AHEAD}\n# {number}" for number in range(4)]))
    assert [printed_text(run) for run in runs] == ["True\n"] * 4
    assert load_base_size(Config(root=site)), "and status says how large that is"


def test_what_a_session_imports_later_is_not_imported_ahead(site: Path) -> None:
    code = (
        "import sys\nx = 1\nprint('heavy' in sys.modules)\nimport heavy\nimport os\nprint(heavy.PROCESS == os.getpid())"
    )
    runs = engine_of(site).run(sessions(AHEAD, code))
    assert printed_text(runs[1]) == "False\nTrue\n"


def test_a_module_that_only_others_import_is_no_input(site: Path) -> None:
    runs = engine_of(site).run(sessions(AHEAD, "from package import other\nprint(other.VALUE)"))
    assert "heavy.py" in {each.name for each in runs[0].inputs}
    assert "heavy.py" not in {each.name for each in runs[1].inputs}


def test_a_module_that_writes_while_it_loads_is_loaded_by_the_session_itself(site: Path) -> None:
    runs = engine_of(site).run(sessions("import writes, os\nprint(writes.PROCESS == os.getpid())", AHEAD))
    assert printed_text(runs[0]) == "True\n"


@pytest.mark.parametrize("options", [{}, {"workdir": "package"}, {"width": 33}, {"width": 80}])
def test_a_module_sees_the_folder_and_the_width_of_the_block(site: Path, options: dict[str, Any]) -> None:
    (site / "place.py").write_text("import os, time\ntime.sleep(0.2)\nPLACE = os.getcwd(), os.environ['COLUMNS']\n")
    code = "import place\nprint(*place.PLACE)"
    runs = engine_of(site).run([block(code, session=f"s{number}", **options) for number in range(2)])
    seen = f"{site / str(options.get('workdir', ''))} {options.get('width', 80)}\n"
    assert [printed_text(run) for run in runs] == [seen] * 2


def test_without_the_setting_each_kernel_starts_by_itself(site: Path) -> None:
    runs = engine_of(site, base=False).run(sessions(AHEAD, f"{AHEAD}\n"))
    assert [printed_text(run) for run in runs] == ["False\n"] * 2


def test_an_edit_of_what_was_imported_is_seen(site: Path) -> None:
    engine = engine_of(site, checkpoints=True)
    for value in (1, 2):
        (site / "heavy.py").write_text(HEAVY.replace("VALUE = 1", f"VALUE = {value}"))
        (run,) = engine.run(sessions("import heavy\nprint(heavy.VALUE)"))
        assert printed_text(run) == f"{value}\n"
    engine.close()


def test_an_edit_of_the_prelude_is_seen(site: Path) -> None:
    engine = engine_of(site, checkpoints=True, prelude="prelude.py")
    for value in (1, 2):
        (site / "prelude.py").write_text(f"SEED = {value}\n")
        assert printed_text(engine.run(sessions("print(SEED)"))[0]) == f"{value}\n"
    engine.close()


def test_an_edit_of_a_first_block_costs_no_import(site: Path) -> None:
    engine = engine_of(site, checkpoints=True)
    for number in range(3):
        assert printed_text(engine.run(sessions(f"{AHEAD}\n# {number}"))[0]) == "True\n"
    engine.close()


@pytest.mark.parametrize(
    "prelude",
    [
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()",
        "open('made.txt', 'w').write('x')",
        "import tempfile\ntempfile.mkdtemp()",
        "import os\nr = os.pipe()",
    ],
)
def test_a_prelude_that_cannot_be_shared_runs_in_each_session(site: Path, prelude: str) -> None:
    (site / "prelude.py").write_text(f"import os\nPROCESS = os.getpid()\n{prelude}\n")
    runs = engine_of(site, prelude="prelude.py").run(
        sessions("print(PROCESS == os.getpid())", "print(PROCESS == os.getpid(), 2)")
    )
    assert [printed_text(run) for run in runs] == ["True\n", "True 2\n"]


def test_a_prelude_that_fails_is_reported_as_ever(site: Path) -> None:
    (site / "prelude.py").write_text("x = 1\n1 / 0\n")
    settings = {"prelude": "prelude.py", "errors": "raise"}
    with pytest.raises(BlockError, match=r"^prelude\.py:2: ZeroDivisionError"):
        engine_of(site, **settings).run(sessions("1", "2"))


def test_two_sessions_do_not_get_the_same_random_numbers(site: Path) -> None:
    code = "import numpy as np\nimport random\nprint(np.random.rand(), random.random())"
    runs = engine_of(site).run(sessions(code, f"{code}\n", f"{code}\n\n# 3"))
    assert len({printed_text(run) for run in runs}) == 3


@pytest.mark.parametrize(
    ("code", "end"), [("os._exit(3)", "exited with code 3"), ("os.kill(os.getpid(), 9)", "SIGKILL")]
)
def test_a_fork_that_dies_is_described(site: Path, code: str, end: str) -> None:
    with pytest.raises(BlockError, match=f"the kernel .*{end}"):
        engine_of(site, errors="raise").run(sessions(f"import os\n{code}", "print(1)"))
    until(lambda: not kernels())


def test_a_build_that_ends_while_modules_load_leaves_nothing(site: Path) -> None:
    (site / "heavy.py").write_text("import time\ntime.sleep(60)\n")
    engine = engine_of(site, checkpoints=True)
    engine.start_ahead(group_sessions(sessions("import heavy")))
    time.sleep(1)
    start = time.monotonic()
    engine.close()
    assert time.monotonic() - start < 10
    until(lambda: not _processes_in(site))


def _processes_in(site: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink() == site:
                found.append(int(entry.name))
        except OSError:
            continue
    return found
