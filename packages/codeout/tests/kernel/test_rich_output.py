"""What a notebook can do, in a block: displays of every kind, and code that only a notebook runs."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from codeout import Figure, Run, Stream, Value
from codeout.kernel.display import PLAIN, SHOWN_TYPES
from codeout.model.mime import MIME_TYPES
from helpers import block, printed_text
from small_sites import convert, page

Runner = Callable[..., list[Run]]
SHOW = "from IPython.display import *\n"
PNG_DATA = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
SQUARE = "from PIL import Image as P\nimport io\nb = io.BytesIO()\nP.new('RGB', (40, 20)).save(b, '{}')\n"


def test_the_kernel_knows_the_types_that_a_page_shows() -> None:
    assert SHOWN_TYPES | {PLAIN} == {mime.name for mime in MIME_TYPES}


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        pytest.param(["import sys\nprint(sys.argv)"], "['']\n", id="no arguments"),
        pytest.param(
            ["from __future__ import annotations", "def f(x: Nope): ...\nprint(f.__annotations__)"],
            "{'x': 'Nope'}\n",
            id="a feature carries on",
        ),
        pytest.param(
            ["import asyncio\nqueue = asyncio.Queue()\nawait queue.put(1)", "print(await queue.get())"],
            "1\n",
            id="await in two blocks",
        ),
        pytest.param(
            ["import inspect\nclass A:\n    x = 1", "print(inspect.getsource(A))"],
            "class A:\n    x = 1\n\n",
            id="the source of a class",
        ),
        pytest.param(["print('__file__' in globals())"], "False\n", id="no file"),
        pytest.param(
            [SHOW + "for i in range(3):\n    print(i)\n    clear_output(wait=True)"],
            "2\n",
            id="cleared when it is over",
        ),
        pytest.param(
            [SHOW + "for i in range(3):\n    clear_output(wait=True)\n    print(i)"], "2\n", id="cleared before each"
        ),
        pytest.param([SHOW + "print(1)\nclear_output()"], "", id="cleared at once"),
    ],
)
def test_code_runs_as_in_a_notebook(run: Runner, codes: list[str], text: str) -> None:
    assert printed_text(run(*codes)[-1]) == text


def test_an_awaited_value_is_shown_and_its_exception_has_the_frames_of_the_block_alone(run: Runner) -> None:
    code = "async def f(x):\n    return 6 // x\nawait f(2)"
    first, second = run(code, block("await f(0)", line=11, raises="ZeroDivisionError"))
    assert first.outputs == (Value({"text/plain": "3"}),)
    assert second.error is not None
    frames = re.findall(r'File "(.*)", line (\d+)', second.error.traceback)
    assert frames == [("docs/page.md", "12"), ("docs/page.md", "3")]


def test_carets_are_below_what_they_point_at(run: Runner) -> None:
    (failed,) = run(block("x = 0\n1 + 1 / x", raises="ZeroDivisionError"))
    lines = failed.error.traceback.split("\n")  # type: ignore[union-attr]
    at = lines[2].index("1 / x")
    assert lines[3].strip("~^ ") == ""
    assert lines[3].index("~") == at


def test_an_object_that_displays_itself_leaves_no_empty_box(run: Runner) -> None:
    code = SHOW + "class A:\n    def _ipython_display_(self): display({'text/html': '<b>x</b>'}, raw=True)\nA()"
    assert run(code)[0].outputs == (Value({"text/html": "<b>x</b>"}),)


def test_text_that_claims_to_be_json_can_be_exported(run: Runner) -> None:
    (shown,) = run(SHOW + "display({'application/json': 'no { json'}, raw=True)")
    (value,) = shown.outputs
    assert isinstance(value, Value)
    assert json.loads(value.data["application/json"]) == "no { json"


def test_an_object_that_needs_a_notebook_s_program_says_so(run: Runner) -> None:
    code = SHOW + "display({'application/vnd.x+json': {}, 'text/plain': 'Slider()'}, raw=True)"
    note, value = run(code)[0].outputs
    assert note == Stream(
        "stderr", "only the text of an object is shown: application/vnd.x+json needs a notebook's own program\n"
    )
    assert isinstance(value, Value)
    assert value.data["text/plain"] == "Slider()"


@pytest.mark.parametrize("form", ["png", "webp"])
def test_a_picture_has_the_width_that_it_was_given(form: str, tmp_path: Path) -> None:
    code = (
        SQUARE.format(form) + f"from IPython.display import Image\nImage(data=b.getvalue(), format='{form}', width=10)"
    )
    image = BeautifulSoup(convert(page(('source="above"', code)), tmp_path), "html.parser").img
    assert image is not None
    assert image["width"] == "10"
    assert image.get("height") == ("5" if form == "png" else None)
    assert str(image["src"]).startswith(f"data:image/{form};base64,")


@pytest.mark.parametrize(
    ("code", "html"),
    [
        (SHOW + "Latex('The sum $x^2$ is text')", "The sum"),
        (SHOW + "JSON({'a': [1]})", "&quot;a&quot;: ["),
        (
            SHOW + "Javascript('element.textContent = 5 < 6')",
            "<script>(function (element) {\nelement.textContent = 5 < 6",
        ),
        (SHOW + "Javascript('\"</script><b>\"')", '"\\x3c/script><b>"'),
    ],
)
def test_every_kind_of_object_is_shown(code: str, html: str, tmp_path: Path) -> None:
    shown = convert(page(('source="above"', code)), tmp_path)
    assert html in shown
    assert "$$" not in shown


def test_a_figure_that_nothing_was_drawn_in_is_not_shown(run: Runner) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nplt.tight_layout()"
    assert [type(output) for output in run(code)[0].outputs] == [Figure]


def test_an_animation_is_shown_or_says_how(run: Runner) -> None:
    code = (
        "import matplotlib.pyplot as plt\nfrom matplotlib.animation import FuncAnimation\nfig, ax = plt.subplots()\n"
        "line, = ax.plot([1, 2])\nmoving = FuncAnimation(fig, lambda i: line.set_ydata([i, 2]), frames=2)\n"
    )
    assert "set plt.rcParams['animation.html'] = 'jshtml'" in printed_text(run(code + "moving")[0])
    (shown,) = run(code + "plt.rcParams['animation.html'] = 'jshtml'\nplt.close()\nmoving")
    assert printed_text(shown) == ""
    assert isinstance(shown.outputs[0], Value)
    assert "<script" in shown.outputs[0].data["text/html"]


def test_a_warning_about_a_figure_names_no_file_of_the_engine(run: Runner) -> None:
    code = "import matplotlib.pyplot as plt\nplt.title('\\u4e2d')\nplt.plot([1]);\n"
    assert printed_text(run(code)[0]).startswith("figure:1: UserWarning: Glyph 20013")
    shown = printed_text(run(code + "plt.show()")[0])
    assert shown.startswith("docs/page.md:5: UserWarning: Glyph 20013")


def test_magics_work_where_they_are_asked_for(run: Runner) -> None:
    code = "%matplotlib inline\nx = 5\n!echo {x}\nnames = !echo a b\nprint(names[0], get_ipython() is not None)"
    first, second = run(code, block("%%writefile made.txt\nhello", line=21), magics=True)
    assert printed_text(first) == "5\na b True\n"
    assert "Writing made.txt" in printed_text(second)


FIGURE = "import io, matplotlib.pyplot as plt\nplt.plot([1, 2])\nb = io.StringIO()\nplt.savefig(b, format='svg')\n"


@pytest.mark.parametrize(
    ("options", "code", "pictures"),
    [
        pytest.param('html="true"', FIGURE + "print('<i>', b.getvalue(), '</i>')", 1, id="saved and printed"),
        pytest.param('html="true" source="above"', FIGURE + "print('<i>', b.getvalue(), '</i>')", 1, id="with source"),
        pytest.param('html="true"', "import matplotlib.pyplot as plt\nplt.plot([1])\nprint('<i>1</i>')", 1, id="open"),
        pytest.param("", FIGURE + "print('*x*')", 0, id="of a block that prints Markdown"),
        pytest.param('source="above"', FIGURE + "print('x')", 1, id="of a block that shows its source"),
    ],
)
def test_a_figure_that_a_block_saved_is_not_shown_twice(options: str, code: str, pictures: int, tmp_path: Path) -> None:
    soup = BeautifulSoup(convert(page((options, code)), tmp_path), "html.parser")
    assert len(soup.select("svg, img")) == pictures
    assert "&lt;svg" not in str(soup)
    assert "html" not in options or soup.i is not None


@pytest.mark.parametrize(
    ("result", "selector", "text"),
    [
        ("text", "div.highlight", "<b>bold</b>\nA(1)"),
        ("md", "strong", "bold"),
        ("python", "div.highlight", "<b>bold</b>\nA(1)"),
    ],
)
def test_a_result_is_text_or_markdown(result: str, selector: str, text: str, tmp_path: Path) -> None:
    shown = "**bold**" if result == "md" else "<b>bold</b>"
    code = (
        "class A:\n    def __repr__(self): return 'A(1)'\n    def _repr_html_(self): return '<u>A</u>'\n"
        f"print('{shown}')\nA()"
    )
    html = convert(page((f'source="above" result="{result}"', code)), tmp_path)
    found = BeautifulSoup(html, "html.parser").select(selector)[-1]
    assert found.get_text().strip() == text


def test_a_result_with_a_picture_is_both(tmp_path: Path) -> None:
    code = SQUARE.format("png") + "print('text')\nfrom IPython.display import Image\nImage(data=b.getvalue())"
    soup = BeautifulSoup(convert(page(('source="above" result="text"', code)), tmp_path), "html.parser")
    assert soup.img is not None
    assert base64.b64decode(str(soup.img["src"]).partition(",")[2]).startswith(b"\x89PNG")
    assert soup.select("div.highlight")[-1].get_text().strip() == "text"


NO_BASE64 = {
    "a tag": 'AA" onerror="alert(1)',
    "a tag behind a picture": PNG_DATA + '" onerror="alert(1)',
    "another alphabet": "__--",
    "a wrong length": "AAAAA",
    "text": "this is no picture!",
}


@pytest.mark.parametrize("mime", ["image/png", "image/jpeg", "image/gif", "image/webp"])
@pytest.mark.parametrize("name", NO_BASE64)
def test_picture_data_that_is_not_base64_is_not_written(name: str, mime: str, tmp_path: Path) -> None:
    code = f"from IPython.display import display\ndisplay({{{mime!r}: {NO_BASE64[name]!r}}}, raw=True)"
    html = convert(page(('source="above"', code)), tmp_path)
    assert not BeautifulSoup(html, "html.parser").select("img, [onerror]")
    assert f"[{mime}: the data are not base64]" in html


def test_white_space_in_picture_data_makes_no_difference(tmp_path: Path) -> None:
    data = f"{PNG_DATA[:20]!r} + ' \\n' + {PNG_DATA[20:]!r}"
    code = f"from IPython.display import display\ndisplay({{'image/png': {data}}}, raw=True)"
    cold, warm = (convert(page(('source="above"', code)), tmp_path) for _ in range(2))
    assert f"base64,{PNG_DATA}" in cold
    assert cold == warm
