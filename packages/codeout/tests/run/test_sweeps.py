"""A swept block: it runs once for each value, from the state above it, and the page shows all of it."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from codeout import Block, BlockError, Config, Engine, Run, Stream
from codeout.errors import CodeoutError
from codeout.model.sweeps import case_codes, parse_sweep, swept_lines
from helpers import block, kernels, linux, printed_text
from small_sites import convert, page


def swept(code: str, sweep: str, timeout: float | None = None) -> Block:
    return block(code, sweep=parse_sweep(sweep), timeout=timeout)


def printed(run: Run) -> list[str]:
    """Return what a block printed, and then what each of its cases did."""
    cases = ("".join(o.text for o in case.outputs if isinstance(o, Stream)) for case in run.cases)
    return [text.strip() for text in (printed_text(run), *cases)]


def run(tmp_path: Path, *blocks: Block, **settings: object) -> list[Run]:
    engine = Engine(Config(root=tmp_path, **settings))  # type: ignore[arg-type]
    try:
        return engine.run(blocks)
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("sweep", "cases"),
    [
        ("lr=0.1,0.5", [("0.1",), ("0.5",)]),
        ("lr = 1e-3, 1e-2 ; n=1,2", [("1e-3", "1"), ("1e-3", "2"), ("1e-2", "1"), ("1e-2", "2")]),
        ("act='relu','tanh'", [("'relu'",), ("'tanh'",)]),
        ("shape=(1, 2),(3, 4)", [("(1, 2)",), ("(3, 4)",)]),
        ("x=-1,None,True", [("-1",), ("None",), ("True",)]),
    ],
)
def test_the_cases_are_all_combinations_of_the_values(sweep: str, cases: list[tuple[str, ...]]) -> None:
    assert parse_sweep(sweep).cases == cases


@pytest.mark.parametrize(
    ("sweep", "problem"),
    [
        ("lr", "must look like"),
        ("", "must look like"),
        ("a b=1,2", "must look like"),
        ("lr=0.1", "two or more different values"),
        ("lr=0.1,0.1", "two or more different values"),
        ("lr=open('x'),2", "needs literals"),
        ("lr=1,2),(3", "needs literals"),
        ("lr=1,,2", "needs literals"),
        ("lr=1,2;lr=3,4", "names a variable twice"),
        ("a=1,2,3,4,5,6,7,8,9;b=1,2,3,4,5,6,7,8,9", "81 cases; at most 64"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(sweep: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_sweep(sweep)


def test_only_the_values_change_in_the_code() -> None:
    code = "ä = 'ö'; lr = 0.1  # lr = 0.1\nn: int = 2\nprint(lr, n)"
    sweep = parse_sweep("lr=0.1,0.25;n=2,30")
    assert case_codes(code, sweep) == [
        code,
        code.replace("int = 2", "int = 30"),
        code.replace("; lr = 0.1", "; lr = 0.25"),
        code.replace("; lr = 0.1", "; lr = 0.25").replace("int = 2", "int = 30"),
    ]
    assert swept_lines(code, sweep) == [1, 2]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("print(1)", "needs a line like `lr = 0.1`; the block does not have one"),
        ("lr = 0.1\nlr = 0.1", "must only once have one"),
        ("for _ in range(2):\n    lr = 0.1", "does not have one"),
        ("lr = 0.5", "must begin with the code's own value: `lr` is 0.5 there"),
        ("lr = 1 / 10", "only where its value is a literal"),
        ("lr = (\n    0.1\n)\nprint(lr", "not valid Python"),
    ],
)
def test_code_that_cannot_be_swept_is_refused_with_the_place(code: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(CodeoutError, match=r"page:3: sweep ") as caught:
        convert(page(('session="s" source="above" sweep="lr=0.1,0.5"', code)), tmp_path)
    assert problem in str(caught.value)


def test_each_case_begins_with_the_state_above_the_block(tmp_path: Path) -> None:
    above = "import random\nrandom.seed(1)\nseen = []"
    code = "x = 1\nseen.append(x)\nprint(x, seen, random.random())"
    _, middle, last = run(tmp_path, block(above), swept(code, "x=1,2,3"), block("print(seen, x)"))
    numbers = {text.rpartition(" ")[2] for text in printed(middle)}
    assert [text.rpartition(" ")[0] for text in printed(middle)] == ["1 [1]", "2 [2]", "3 [3]"]
    assert len(numbers) == 1, "each continues with the same state of the generator"
    assert printed_text(last) == "[1] 1\n", "the blocks below it see the first value"
    assert not kernels()


@linux
def test_the_blocks_above_do_not_run_again_for_a_case(tmp_path: Path) -> None:
    note = tmp_path / "note"
    above = f"with open({str(note)!r}, 'a') as file:\n    print('ran', file=file)"
    _, middle = run(tmp_path, block(above), swept("x = 1\nprint(x)", "x=1,2,3,4"))
    assert printed(middle) == ["1", "2", "3", "4"]
    assert note.read_text() == "ran\n"


@linux
def test_cases_run_side_by_side(tmp_path: Path) -> None:
    code = "import time\nn = 0\nbegin = time.time()\ntime.sleep(0.5)\nprint(begin, time.time())"
    (only,) = run(tmp_path, swept(code, "n=0,1,2,3"), jobs=4)
    times = [tuple(map(float, text.split())) for text in printed(only)]
    assert max(begin for begin, _ in times) < min(end for _, end in times)


def test_cases_run_one_at_a_time_where_time_is_measured(tmp_path: Path) -> None:
    code = "import time\nn = 0\nbegin = time.time()\ntime.sleep(0.1)\nprint(begin, time.time())"
    (only,) = run(tmp_path, swept(code, "n=0,1,2"), jobs=4, exclusive=("s",))
    times = sorted(tuple(map(float, text.split())) for text in printed(only))
    assert all(end <= begin for (_, end), (begin, _) in pairwise(times))


@linux
def test_each_case_writes_its_own_files(tmp_path: Path) -> None:
    code = (
        "import os, pathlib\nx = 1\npathlib.Path('f').write_text(f'{x}')\n"
        "print(pathlib.Path('old').read_text(), sorted(os.listdir()))"
    )
    _, middle, last = run(
        tmp_path,
        block("import pathlib\npathlib.Path('old').write_text('o')"),
        swept(code, "x=1,2"),
        block("print(pathlib.Path('f').read_text())"),
        sandbox=True,
    )
    assert printed(middle) == ["o ['f', 'old']"] * 2
    assert printed_text(last) == "1\n"


def test_where_a_kernel_cannot_be_forked_the_session_is_replayed(tmp_path: Path) -> None:
    above = "import threading, time\nthreading.Thread(target=time.sleep, args=(30,), daemon=True).start()\ny = 5"
    _, middle = run(tmp_path, block(above), swept("x = 1\nprint(x + y)", "x=1,2"))
    assert printed(middle) == ["6", "7"]
    assert not kernels()


def test_a_sweep_comes_from_the_cache_until_a_value_changes(tmp_path: Path) -> None:
    code = f"import time\nx = 1\nopen(f'{tmp_path}/{{x}}-{{time.time_ns()}}.note', 'x').close()\nprint(x)"
    below = f"with open({str(tmp_path / 'below')!r}, 'a') as file:\n    print('ran', file=file)"
    once = run(tmp_path, swept(code, "x=1,2"), block(below))
    assert run(tmp_path, swept(code, "x=1,2"), block(below)) == once
    assert sorted(path.name[0] for path in tmp_path.glob("*.note")) == ["1", "2"]
    again = run(tmp_path, swept(code, "x=1,3"), block(below))
    assert printed(again[0]) == ["1", "3"]


def test_an_input_of_one_case_makes_the_block_stale(tmp_path: Path) -> None:
    data = tmp_path / "data.txt"
    data.write_text("old")
    code = f"x = 0\nif x:\n    print(open({str(data)!r}).read())"
    assert printed(run(tmp_path, swept(code, "x=0,1"))[0]) == ["", "old"]
    data.write_text("newer")
    assert printed(run(tmp_path, swept(code, "x=0,1"))[0]) == ["", "newer"]


def test_a_case_that_fails_fails_the_block_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(BlockError, match=r"page.md:3: with n = 0: ZeroDivisionError: division by zero"):
        run(tmp_path, swept("n = 1\n1 / n", "n=1,0"))


def test_a_case_that_dies_fails_the_block(tmp_path: Path) -> None:
    with pytest.raises(BlockError, match="the kernel"):
        run(tmp_path, swept("import os\nn = 1\nif n == 2:\n    os._exit(3)", "n=1,2,3"))
    assert not kernels()


def test_a_case_that_hangs_is_ended_at_the_limit(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(BlockError, match="took longer than 1 s"):
        run(tmp_path, swept("import time\nn = 0\ntime.sleep(n)", "n=0,100", timeout=1.0))
    assert time.monotonic() - start < 30
    assert not kernels()


def test_the_page_has_a_control_for_each_name_and_all_outputs(tmp_path: Path) -> None:
    code = "lr = 0.1\nwidth = 4\nprint('at', lr, width)"
    html = convert(
        page(('session="s" source="tabbed-left" tabs="Code|Out" sweep="lr=0.1,0.5;width=4,8"', code)), tmp_path
    )
    soup = BeautifulSoup(html, "html.parser")
    assert [legend.text for legend in soup.select(".codeout-knobs legend")] == ["lr", "width"]
    assert [knob["value"] for knob in soup.select(".codeout-knobs input[checked]")] == ["0", "0"]
    names = {str(knob["name"]) for knob in soup.select(".codeout-knobs input")}
    assert len(names) == 2
    cases = {str(case["data-case"]): case for case in soup.select(".codeout-case")}
    assert list(cases) == ["0 0", "0 1", "1 0", "1 1"]
    assert ["data-shown" in case.attrs for case in cases.values()] == [True, False, False, False]
    assert "at 0.5 8" in cases["1 1"].text
    assert "lr = 0.5, width = 8" in cases["1 1"].text, "named for readers without scripts"
    assert [line.text.strip() for line in soup.select(".hll")] == ["lr = 0.1", "width = 4"], "the code shows them"
    ids = [str(tag["id"]) for tag in soup.select("[id]")]
    assert len({*ids}) == len(ids)


def test_the_script_is_on_pages_with_a_sweep_alone_and_once(tmp_path: Path) -> None:
    option = 'source="above" sweep="x=1,2"'
    html = convert(page((option, "x = 1\nprint(x)"), (option, "x = 1\nprint(2 * x)")), tmp_path)
    assert html.count("<script>") == html.count("<style>") == 1
    assert "<script>" not in convert(page(('source="above"', "print(1)")), tmp_path)


def test_pictures_of_other_cases_load_when_they_are_shown(tmp_path: Path) -> None:
    code = "import matplotlib.pyplot as plt\nn = 1\nplt.plot([0, n])\nplt.title(f'Up to {n}')\nplt.show()"
    html = convert(page(('source="above" sweep="n=1,2"', code)), tmp_path)
    first, second = BeautifulSoup(html, "html.parser").select(".codeout-case")
    assert second.img is not None
    assert not [image for image in first.select("img") if image.get("loading")]
    assert second.img["loading"] == "lazy"
    assert "Up to 2" in str(second.img["alt"])
    assert int(str(second.img.get("width", "1"))) > 0


def test_environment_and_outputs_of_a_case_are_those_of_the_session(tmp_path: Path) -> None:
    os.environ.pop("CODEOUT_SWEEP", None)
    code = "import os\nn = 1\nos.environ['CODEOUT_SWEEP'] = str(n)\nos.system('echo $CODEOUT_SWEEP')"
    _, middle = run(tmp_path, block("pass"), swept(code, "n=1,2"))
    assert [text.split()[0] for text in printed(middle)] == ["1", "2"]
