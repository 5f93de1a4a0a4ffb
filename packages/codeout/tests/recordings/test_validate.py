"""Runs from another machine: what a page may show of them, and what is rejected."""

from __future__ import annotations

import base64
import io
import sys
import time
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from PIL import Image

from codeout import CodeoutError, Error, Figure, Output, Run, Source, Stream, Value
from codeout.model.inputs import Input
from codeout.recordings.limits import InvalidRecording
from codeout.recordings.validate import left_out, validate
from helpers import PROVENANCE

NOW = datetime(2026, 11, 25, tzinfo=UTC)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{}</svg>'
RUN = Run(
    outputs=(Stream("stdout", "hello\n"),),
    provenance=replace(PROVENANCE, device="NVIDIA T4", code_digest="0123456789ab"),
    origin="docs/page.md:3",
    inputs=(Input(kind="file", name="snippets/helper.py", digest="f" * 64),),
)


def image(size: tuple[int, int], kind: str = "png") -> str:
    file = io.BytesIO()
    Image.new("1", size).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


def figure(data: str, mime: str = "image/png", alt: str = "") -> Figure:
    return Figure({mime: data}, alt)


def show(*outputs: Output) -> Run:
    return replace(RUN, outputs=outputs)


def say(**provenance: object) -> Run:
    return replace(RUN, provenance=replace(RUN.provenance, **provenance))


GOOD: dict[str, Run] = {
    "text": RUN,
    "markup as text": show(Stream("stderr", "<script>\t{% x %}\n"), Value({"text/plain": "<b>"})),
    "an exception": show(
        Error(type="KeyError", message="'x'", traceback="Traceback", line=3, bases=("LookupError", "Exception"))
    ),
    "an exception of no line": show(Error(type="SystemExit", message="2", traceback="", line=None)),
    "a PNG": show(figure(image((9, 9)), alt="wörds")),
    "a JPEG, a GIF and a WebP": show(*[figure(image((9, 9), k), f"image/{k}") for k in ("jpeg", "gif", "webp")]),
    "base64 in lines": show(figure("\n".join([image((9, 9)), ""]))),
    "SVG": show(figure(SVG.format('<path d="M0 0"/>'), "image/svg+xml")),
    "a path with a space": replace(RUN, inputs=(Input(kind="file", name="lib/my helper/x-1.y.py", digest="0" * 64),)),
    "devices with punctuation": say(device="NVIDIA RTX A6000 (48GB), v1".replace(",", "")),
    "a local version": say(packages=(("torch", "2.15.0+cu121"), ("my_package.x", "1!2.0rc1"))),
    "the day of the build": say(date="2026-11-25T23:59:59+00:00"),
    "no packages, no sources": say(packages=(), sources=()),
    "no measurable time": say(seconds=0.0),
    "the first line": show(Error(type="KeyError", message="", traceback="", line=1)),
    "measured outputs": replace(RUN, measured=True),
    "a figure with text": show(Figure({"image/png": image((9, 9)), "text/plain": "<Figure>"}, "")),
    "as many names as may be": say(packages=(("torch", "1"),) * 500, sources=(Source("x", "y", "z"),) * 500),
    "as much text as may be": show(Stream("stdout", "x" * 1_000_000)),
}


@pytest.mark.parametrize("run", GOOD.values(), ids=GOOD)
def test_what_cannot_act_is_shown_as_it_is(run: Run) -> None:
    assert validate(run, NOW) == run
    assert left_out(run) == set()


def test_html_markdown_and_latex_are_left_out_where_there_is_text() -> None:
    rich = {
        "text/html": "<b>\x02</b>" + "x" * 1_000_000,
        "text/markdown": "*x*",
        "text/latex": "$x$",
        "application/json": "1",
    }
    run = show(Value({**rich, "text/plain": "x"}), figure(image((9, 9))))
    assert validate(run, NOW).outputs == (Value({"text/plain": "x"}), run.outputs[1])
    assert left_out(run) == set(rich)


def test_values_are_left_out() -> None:
    assert validate(replace(RUN, values={"accuracy": 1.0}), NOW) == RUN


PLACEHOLDER = Source("CIFAR-10", "placeholder", "drawn")
BAD: dict[str, tuple[Run, str]] = {
    "no device": (say(device=""), "invalid device name"),
    "a device on two lines": (say(device="T4\n\n```{.python exec=on}"), "invalid device name"),
    "a device with markup": (say(device="<img src=x onerror=alert(1)>"), "invalid device name"),
    "a device with a link": (say(device="[x](https://x)"), "invalid device name"),
    "a device in other letters": (say(device="СPU"), "invalid device name"),
    "a device with an attribute list": (say(device="T4{: onclick=x }"), "invalid device name"),
    "a long device name": (say(device="x" * 81), "invalid device name"),
    "Python with markup": (say(python="3.11<b>"), "invalid Python version"),
    "no Python": (say(python=""), "invalid Python version"),
    "a package with markup": (say(packages=(("<b>", "1"),)), "invalid package"),
    "a version with a line": (say(packages=(("torch", "1\n::add-mask::x"),)), "invalid package"),
    "many packages": (say(packages=(("torch", "1"),) * 501), "invalid package"),
    "a source with a line": (say(sources=(Source("x\n", "original", ""),)), "invalid data source"),
    "a source with a control character": (say(sources=(Source("x", "y", "\x02"),)), "invalid data source"),
    "a long source": (say(sources=(Source("x", "y", "z" * 501),)), "invalid data source"),
    "many sources": (say(sources=(Source("x", "y", "z"),) * 501), "invalid data source"),
    "placeholder data": (say(sources=(PLACEHOLDER,)), "based on placeholder data for 'CIFAR-10'"),
    "no code": (say(code_digest=""), "invalid code digest"),
    "code that is no digest": (say(code_digest="xyz"), "invalid code digest"),
    "no time": (say(seconds=float("nan")), "invalid duration"),
    "less than no time": (say(seconds=-1.0), "invalid duration"),
    "a time without end": (say(seconds=float("inf")), "invalid duration"),
    "a time that no float holds": (say(seconds=10**400), "invalid duration"),
    "true for a time": (say(seconds=True), "invalid duration"),
    "no date": (say(date="garbage"), "invalid date"),
    "a date without a zone": (say(date="2026-11-01T00:00:00"), "invalid date"),
    "the future": (say(date="2026-11-26T00:00:01+00:00"), "invalid date"),
    "long ago": (say(date="0001-01-01T00:00:00+00:00"), "invalid date"),
    "before any recording": (say(date="2024-01-01T00:00:00+00:00"), "invalid date"),
    "a year that overflows": (say(date="0001-01-01T00:00:00+23:59"), "invalid date"),
    "a date that sorts after all others": (say(date="2025-W01-1T00:00:00+00:00"), "invalid date"),
    "no origin": (replace(RUN, origin=""), "invalid code location"),
    "an origin with a line": (replace(RUN, origin="docs/a.md\n:3"), "invalid code location"),
    "an origin without a line number": (replace(RUN, origin="docs/a.md"), "invalid code location"),
    "a long origin": (replace(RUN, origin="x" * 301 + ":1"), "invalid code location"),
    "an input that climbs later": (
        replace(RUN, inputs=(Input(kind="file", name="a/../../x.py", digest="f" * 64),)),
        "invalid input",
    ),
    "an input with NUL": (replace(RUN, inputs=(Input(kind="file", name="a\0b.py", digest="f" * 64),)), "invalid input"),
    "an input with a line": (
        replace(RUN, inputs=(Input(kind="file", name="a\n.py", digest="f" * 64),)),
        "invalid input",
    ),
    "a long input": (
        replace(RUN, inputs=(Input(kind="file", name="x" * 200 + ".py", digest="f" * 64),)),
        "invalid input",
    ),
    "an input with a digest of words": (
        replace(RUN, inputs=(Input(kind="file", name="x.py", digest="words"),)),
        "invalid input",
    ),
    "many inputs": (
        replace(RUN, inputs=tuple(Input(kind="file", name=f"x{n}.py", digest="f" * 64) for n in range(5001))),
        "more than 5,000 inputs",
    ),
    "Markdown's placeholder in a stream": (show(Stream("stdout", "\x02wzxhzdk:0\x03")), "control characters"),
    "Markdown's placeholder in a value": (show(Value({"text/plain": "\x02amp\x03"})), "control characters"),
    "Markdown's placeholder in a figure's text": (
        show(Figure({"image/png": image((9, 9)), "text/plain": "\x02"}, "")),
        "control characters",
    ),
    "Markdown's placeholder in alt text": (show(figure(image((9, 9)), alt="\x02")), "control characters"),
    "Markdown's placeholder in SVG": (show(figure(SVG.format("<g>\x02</g>"), "image/svg+xml")), "control characters"),
    "Markdown's placeholder in a message": (
        show(Error(type="E", message="\x02", traceback="", line=None)),
        "control characters",
    ),
    "Markdown's placeholder in a traceback": (
        show(Error(type="E", message="", traceback="\x02", line=None)),
        "control characters",
    ),
    "an escape sequence": (show(Stream("stdout", "\x1b[31mred")), "control characters"),
    "a carriage return": (show(Stream("stdout", "a\rb")), "control characters"),
    "many outputs": (show(*[Stream("stdout", "x")] * 1001), "more than 1,000 outputs"),
    "long text": (show(*[Stream("stdout", "x" * 250_001)] * 4), "more than 1,000,000 characters of text"),
    "long values": (show(Value({"text/plain": "x" * 1_000_001})), "more than 1,000,000 characters of text"),
    "long alt text": (show(figure(image((9, 9)), alt="x" * 1_000_001)), "more than 1,000,000 characters of text"),
    "long tracebacks": (
        show(Error(type="E", message="", traceback="x" * 1_000_001, line=None)),
        "more than 1,000,000 characters of text",
    ),
    "large pictures": (show(*[figure("x" * 8_000_001)] * 4), "more than 32,000,000 characters of image data"),
    "only HTML": (show(Value({"text/html": "<b>x</b>"})), "only text/html, which recordings may not contain"),
    "a MIME type that is none": (show(Value({"a\n::b": "x", "text/plain": "x"})), "invalid MIME type"),
    "an exception with markup": (
        show(Error(type="<b>", message="", traceback="", line=None)),
        "invalid exception name",
    ),
    "a base class with markup": (
        show(Error(type="E", message="", traceback="", line=None, bases=("E", "</b>"))),
        "invalid exception name",
    ),
    "many base classes": (
        show(Error(type="E", message="", traceback="", line=None, bases=("E",) * 501)),
        "invalid exception name",
    ),
    "line zero": (show(Error(type="E", message="", traceback="", line=0)), "invalid exception line"),
    "a line beyond all files": (
        show(Error(type="E", message="", traceback="", line=10**400)),
        "invalid exception line",
    ),
    "a script in SVG": (show(figure(SVG.format("<script>1</script>"), "image/svg+xml")), "SVG with <script>"),
    "a PNG that is HTML": (show(figure(base64.b64encode(b"<html>").decode())), "malformed image/png"),
    "a PNG that is a GIF": (show(figure(image((9, 9), "gif"))), "malformed image/png"),
    "a PNG that is not base64": (show(figure("<b>")), "malformed image/png"),
    "the beginning of a PNG": (show(figure(image((900, 900))[:200])), "malformed image/png"),
    "a PNG of 4,010,000 pixels": (show(figure(image((2005, 2000)))), "more than 4,000,000 pixels"),
    "a PNG of 160 megapixels": (show(figure(image((16_000, 10_000)))), "malformed image/png"),
}


@pytest.mark.parametrize(("run", "message"), BAD.values(), ids=BAD)
def test_what_could_act_or_is_malformed_is_rejected(run: Run, message: str) -> None:
    with pytest.raises(InvalidRecording, match=message):
        validate(run, NOW)


LARGE = image((2000, 2000))


def embedded(data: str, times: int) -> Figure:
    return figure(SVG.format(f'<image href="data:image/png;base64,{data}"/>' * times), "image/svg+xml")


@pytest.mark.parametrize(
    "outputs",
    [
        pytest.param([figure(LARGE)] * 1000, id="1,000 pictures of 4 megapixels each"),
        pytest.param([embedded(LARGE, 4545)], id="SVG with 4,545 pictures of 4 megapixels each"),
        pytest.param([embedded(image((9, 9)), 2001)], id="SVG with 2,001 small pictures"),
    ],
)
def test_pictures_have_a_budget_of_pixels_that_ends_the_check_soon(outputs: list[Output]) -> None:
    start = time.process_time()
    with pytest.raises(InvalidRecording, match="its pictures exceed 20,000,000 pixels in total"):
        validate(show(*outputs), NOW)
    assert time.process_time() - start < 5


def test_pictures_within_the_budget_are_shown() -> None:
    run = show(*[figure(LARGE)] * 5)
    assert validate(run, NOW) == run


def test_a_jpeg_of_many_scans_takes_more_of_the_budget() -> None:
    scans = base64.b64encode(base64.b64decode(image((2000, 2000), "jpeg")) + b"\xff\xda" * 60).decode()
    with pytest.raises(InvalidRecording, match="exceed 20,000,000 pixels"):
        validate(show(figure(scans, "image/jpeg")), NOW)


def test_drawings_have_a_budget_of_elements() -> None:
    drawing = figure(SVG.format("<g/>" * 50_000), "image/svg+xml")
    validate(show(*[drawing] * 4), NOW)
    with pytest.raises(InvalidRecording, match="its SVG pictures exceed 200,000 elements in total"):
        validate(show(*[drawing] * 5), NOW)


def test_without_pillow_a_raster_image_is_named_and_text_and_svg_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    drawing = show(Stream("stdout", "x"), figure(SVG.format("<g/>"), "image/svg+xml"))
    assert validate(drawing, NOW) == drawing
    with pytest.raises(CodeoutError, match=r"comparing pictures needs Pillow; pip install codeout\[images\]"):
        validate(show(figure("AAAA")), NOW)
