"""What blocks display: values, objects and figures, as a notebook would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from codeout import Figure, Run, Stream, Value
from helpers import block

Runner = Callable[..., list[Run]]


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
def test_a_value_is_shown_unless_it_was_drawn_or_ends_in_a_semicolon(run: Runner, code: str, shown: bool) -> None:
    assert any(isinstance(output, Value) for output in run(code)[0].outputs) == shown


def test_a_display_can_be_updated_in_its_place(run: Runner) -> None:
    code = "from IPython.display import display\nh = display('a', display_id=True)\nprint(1)\nh.update('b')"
    outputs = run(code)[0].outputs
    assert [o.data["text/plain"] if isinstance(o, Value) else o for o in outputs] == ["'b'", Stream("stdout", "1\n")]


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


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        pytest.param("display('a'); clear_output(); display('b')", ["'b'"], id="outputs before it are discarded"),
        pytest.param("display('a'); clear_output()", [], id="all of them"),
        pytest.param(
            "h = display('a', display_id=True); clear_output(); h.update('b')", ["'b'"], id="updated after it"
        ),
        pytest.param(
            "h = display('a', display_id=True); clear_output(); display('b'); h.update('c'); h.update('d')",
            ["'b'", "'d'"],
            id="an update replaces nothing but its own display",
        ),
    ],
)
def test_clear_output_discards_what_the_block_has_shown(run: Runner, code: str, shown: list[str]) -> None:
    outputs = run(f"from IPython.display import clear_output, display\n{code}")[0].outputs
    assert [output.data["text/plain"] for output in outputs if isinstance(output, Value)] == shown


def test_characters_that_utf_8_lacks_are_shown_as_escapes_and_cached(run: Runner, tmp_path: Path) -> None:
    code = "from IPython.display import HTML\nHTML('caf\\udce9')"
    (output,) = run(code)[0].outputs
    assert isinstance(output, Value) and output.data["text/html"] == "caf\\udce9"
    assert len(list((tmp_path / ".codeout").glob("??/*.json"))) == 1


def test_an_alt_text_and_a_display_id_may_be_any_object(run: Runner) -> None:
    code = """
from IPython.display import display
display({"text/plain": "a"}, metadata={"text/plain": {"alt": 5}}, raw=True, display_id=7);
"""
    assert run(code)[0].outputs == (Figure({"text/plain": "a"}, "5"),)
