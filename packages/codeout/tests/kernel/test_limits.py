"""Every kind of output has a limit, and what was cut is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup

from codeout import BlockError, Error, Run, Value
from codeout.kernel import events as limits
from helpers import block, kernels, posix, printed_text, renderer

Runner = Callable[..., list[Run]]
SHOW = "class A:\n    def {method}(self):\n        return {text}\nA()"


def test_a_long_value_keeps_its_beginning_and_its_end(run: Runner) -> None:
    code = SHOW.format(method="__repr__", text="'x' * 10**7 + 'end'")
    (value,) = run(code)[0].outputs
    assert isinstance(value, Value)
    text = value.data["text/plain"]
    assert text.startswith("xxx")
    assert text.endswith("xend")
    assert f"[… {10**7 + 3 - limits.MAX_HEAD - limits.MAX_TAIL:,} characters left out …]" in text


def test_html_that_is_too_long_is_left_out_and_its_text_stays(run: Runner) -> None:
    code = f"class A:\n    def _repr_html_(self):\n        return 'h' * {limits.MAX_DATA + 1}\nA()"
    (value,) = run(code)[0].outputs
    assert isinstance(value, Value)
    assert set(value.data) == {"text/plain"}
    assert value.data["text/plain"].startswith("[text/html of 20,000,001 characters left out; the limit is 20,000,000]")


def test_a_long_exception_keeps_the_beginning_of_its_message(run: Runner) -> None:
    (error,) = run(block("raise ValueError('x' * 10**7)", raises="ValueError"))[0].outputs
    assert isinstance(error, Error)
    assert len(error.message) < 11_000
    assert len(error.traceback) < 21_000
    assert "characters left out" in error.traceback


def test_of_very_many_displayed_objects_the_first_are_kept(run: Runner) -> None:
    shown = run("from IPython.display import display\nfor i in range(1010):\n    display(i)")[0]
    assert len(shown.outputs) == limits.MAX_DISPLAYS + 1
    assert printed_text(shown) == "[… 10 more outputs left out; the limit is 1,000 …]\n"


@pytest.mark.parametrize("lines", [40, 41])
def test_a_value_of_many_lines_is_folded_as_printed_text_is(lines: int, run: Runner) -> None:
    shown = run(SHOW.format(method="__repr__", text=f"'\\n'.join(map(str, range({lines})))"))[0]
    html = renderer().render_run(shown, "out")
    summaries = [tag.get_text() for tag in BeautifulSoup(html, "html.parser").select(".codeout-rest > summary")]
    assert summaries == ([] if lines == 40 else ["Show all 41 lines"])


def test_control_characters_in_a_figure_s_title_are_not_in_its_alt_text(run: Runner) -> None:
    html = renderer().render_run(run("import matplotlib.pyplot as plt\nplt.plot([1])\nplt.title('a\\x07b')")[0], "out")
    assert 'alt="ab"' in html


@posix
def test_a_child_that_prints_without_end_is_stopped(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codeout.run.kernel_client.MAX_CHILD_BYTES", 1_000_000)
    with pytest.raises(BlockError, match=r"^docs/page.md:1: its child processes printed more than 1 MB; print less$"):
        run("import subprocess\nsubprocess.run(['yes'])")
    assert not kernels()
