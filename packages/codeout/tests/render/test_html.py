"""Outputs as HTML."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from io import BytesIO
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from msgspec.structs import replace
from PIL import Image

from codeout import Error, Figure, Output, Run, Source, Stream, Value
from codeout.model.prose import PageValue
from codeout.render.html import render_value
from codeout.render.overview import time_text
from codeout.render.svg import LARGE, inline_svg
from helpers import PROVENANCE, renderer

RENDERER = renderer()
SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'


def html(*outputs: Output) -> str:
    return renderer(lambda text: f"<md>{text}</md>").render_run(Run(outputs=outputs, provenance=PROVENANCE), "out-1")


@pytest.mark.parametrize(
    "output",
    [
        Stream("stdout", "<script>x</script> **b** $x$"),
        Stream("stderr", "<script>x</script>"),
        Value({"text/plain": "<script>x</script>"}),
        Error(type="E", message="m", traceback="<script>x</script>", line=1),
        Figure({"image/png": "AAAA"}, '"><script>x</script>'),
    ],
)
def test_text_cannot_become_html(output: Output) -> None:
    assert "<script>" not in html(output)
    assert "<md>" not in html(output)


@pytest.mark.parametrize(
    ("content", "is_image"),
    [
        ('<image href="data:image/png;base64,{large}"/>', True),
        ('<image href="data:image/png;base64,AAAA"/><path d="{large}"/>', False),
        ('<path d="{large}"/>', False),
        ('<image href="data:image/png;base64,{large}"/><script>1</script>', False),
    ],
    ids=["a photograph", "a small picture", "lines", "a script"],
)
def test_a_drawing_with_a_large_picture_loads_when_it_is_seen(content: str, is_image: bool) -> None:
    shown = html(Figure({"image/svg+xml": SVG.format(content.format(large="A" * LARGE))}, "a photograph"))
    picture = BeautifulSoup(shown, "html.parser").select_one("img, svg")
    assert picture is not None and (picture.name == "img") == is_image
    assert "a photograph" in (picture.get("alt"), picture.get("aria-label"))
    assert picture.get("loading") == ("lazy" if is_image else None)


def test_html_that_came_as_html_is_let_through() -> None:
    assert "<b>x</b>" in html(Value({"text/html": "<b>x</b>", "text/plain": "x"}))


def test_markdown_and_latex_that_came_as_such_are_converted() -> None:
    assert "<md>*x*</md>" in html(Value({"text/markdown": "*x*"}))
    assert "<md>$$\nx^2\n$$</md>" in html(Value({"text/latex": r"$\displaystyle x^2$"}))


def test_stdout_and_stderr_share_a_box_in_order_and_can_be_told_apart() -> None:
    box = html(Stream("stdout", "a\n"), Stream("stderr", "b\n"), Stream("stdout", "c\n"))
    found = re.search(r"<code>(.*?)</code>", box, re.DOTALL)
    assert found is not None
    assert found[1] == 'a\n<span class="codeout-stderr">b\n</span>c'


def test_a_block_without_output_has_no_html() -> None:
    assert html() == ""


def test_the_run_line_shows_device_version_and_time_and_the_rest_when_opened() -> None:
    shown = html(Stream("stdout", "a"))
    assert "<summary>CPU · torch 2.15.0 · 1.5 s · D: a copy</summary>" in shown
    assert "2026-11-23 10:00:00 UTC" in shown


def test_placeholder_data_is_announced_above_the_output() -> None:
    run = Run(
        outputs=(Stream("stdout", "a"),), provenance=replace(PROVENANCE, sources=(Source("D", "placeholder", "drawn"),))
    )
    shown = renderer().render_run(run, "out-1")
    assert shown.index("D is placeholder data:") < shown.index("<code>a</code>")
    assert "D: placeholder data</summary>" in shown
    assert "placeholder data" not in html(Stream("stdout", "a"))


def test_the_last_successful_output_is_below_a_failed_one() -> None:
    last = Run(outputs=(Stream("stdout", "good"),), provenance=PROVENANCE)
    failed = Run(outputs=(Error(type="E", message="m", traceback="Traceback", line=1),), provenance=PROVENANCE)
    head, _, rest = renderer().render_run(failed, "n", last=last).partition("<summary>Last successful output, from ")
    assert "Traceback" in head
    assert rest.startswith("2026-11-23 10:00:00 UTC</summary>")
    assert "<code>good</code>" in rest
    assert "successful" not in renderer().render_run(failed, "n", last=Run(outputs=(), provenance=PROVENANCE))


def test_a_queued_block_shows_its_last_output() -> None:
    queued = renderer().render_queued(Run(outputs=(Stream("stdout", "good"),), provenance=PROVENANCE), "n", "a.py:1")
    assert 'role="status">Queued</p>' in queued
    assert '<div class="codeout-stale">' in queued and "<code>good</code>" in queued
    assert 'data-origin="a.py:1"' in queued
    assert "codeout-stale" not in renderer().render_queued(None, "n")


def test_an_image_has_alt_text() -> None:
    assert '<img src="data:image/png;base64,AAAA" alt="a &amp; b">' in html(Figure({"image/png": "AAAA\n"}, "a & b"))
    assert 'alt="&lt;Image&gt;"' in html(Value({"image/png": "AAAA", "text/plain": "<Image>"}))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0031, "3 ms"), (0.0994, "99 ms"), (0.0996, "0.1 s"), (59.94, "59.9 s"), (75, "1 min 15 s")]
)
def test_a_duration_is_written_as_people_do(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def test_figures_of_a_page_share_no_id() -> None:
    picture = SVG.format('<defs><clipPath id="p"/></defs><g clip-path="url(#p)"><use xlink:href="#p"/></g>')
    one = inline_svg(picture, "out-1", "alt text")
    assert 'id="out-1-p"' in one and "url(#out-1-p)" in one and 'href="#out-1-p"' in one


def test_black_is_the_text_color_of_the_page_and_a_figure_has_alt_text() -> None:
    shown = inline_svg(
        SVG.format('<path style="stroke: #000000; fill: #0000001f"/><metadata>x</metadata>'), "n", "a curve"
    )
    assert "stroke: currentColor; fill: #0000001f" in shown
    assert "metadata" not in shown
    assert ElementTree.fromstring(shown).attrib["aria-label"] == "a curve"


def test_a_style_for_all_elements_does_not_apply_to_the_page() -> None:
    shown = inline_svg(SVG.format("<defs><style>*{stroke-linejoin: round}</style></defs>"), "n", "")
    assert "<style" not in shown
    assert 'style="stroke-linejoin: round"' in shown


def test_a_long_text_is_folded_and_a_short_one_is_not() -> None:
    assert "codeout-rest" not in html(Stream("stdout", "x\n" * 40))
    text = [Stream("stdout", "".join(f"line {n}\n" for n in range(60))), Stream("stderr", "<warned>\n")]
    head, _, rest = html(*text).partition('<details class="codeout-rest"><summary>Show all 61 lines</summary>')
    assert "line 29</code>" in head
    assert "line 30" not in head
    assert "<code>line 30\n" in rest
    assert '<span class="codeout-stderr">&lt;warned&gt;' in rest


def test_the_run_line_names_the_code() -> None:
    assert "\nCode: 0123456789ab\n" in renderer().render_run(
        Run(outputs=(Stream("stdout", "x"),), provenance=replace(PROVENANCE, code_digest="0123456789ab")), "n"
    )


def test_a_value_in_prose_is_text_and_not_markup() -> None:
    assert render_value(PageValue("<b>x</b>"), "") == '<span class="codeout-named">&lt;b&gt;x&lt;/b&gt;</span>'
    assert render_value(PageValue(0.9321), ".1%") == '<span class="codeout-named">93.2%</span>'


def test_a_value_from_placeholder_data_is_marked_in_text_and_in_its_title() -> None:
    value = PageValue(0.9321, (Source("CIFAR-10", "placeholder", '12 "drawings"'),))
    element = ElementTree.fromstring(render_value(value, ".1%"))
    assert "".join(element.itertext()) == "93.2% (placeholder data)", "without a stylesheet, and for a screen reader"
    assert element.attrib == {
        "class": "codeout-named codeout-placeholder-value",
        "title": 'Computed from placeholder data: CIFAR-10: 12 "drawings"',
    }


def test_a_figure_has_the_size_of_a_notebook_and_is_twice_as_sharp(run: Callable[..., list[Run]]) -> None:
    code = "import matplotlib.pyplot as plt\nplt.figure(figsize=(3, 2), dpi=100).add_axes((0, 0, 1, 1))\nplt.show()"
    (figure,) = (output for output in run(code)[0].outputs if isinstance(output, Figure))
    html = RENDERER.render_run(Run(outputs=(figure,), provenance=PROVENANCE), "n")
    image = BeautifulSoup(html, "html.parser").img
    assert image is not None
    size = Image.open(BytesIO(base64.b64decode(figure.data["image/png"]))).size
    assert (int(str(image["width"])), int(str(image["height"]))) == (size[0] // 2, size[1] // 2)
    assert 250 <= size[0] // 2 <= 400


def test_a_picture_that_is_no_png_has_no_size() -> None:
    figure = Figure({"image/png": "AAAA"}, "a")
    assert (
        "width"
        not in RENDERER.render_run(Run(outputs=(figure,), provenance=PROVENANCE), "n").partition("codeout-run")[0]
    )


def test_run_lines_can_be_switched_off() -> None:
    run = Run(outputs=(Stream("stdout", "a"),), provenance=PROVENANCE)
    assert "codeout-run" not in replace(RENDERER, has_run_lines=False).render_run(run, "n")
