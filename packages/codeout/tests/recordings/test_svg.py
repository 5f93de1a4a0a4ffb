"""SVG from elsewhere: what draws is taken, what could do more is refused."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable

import pytest
from PIL import Image

from codeout import Figure, Run
from codeout.recordings.limits import InvalidRecording, PictureBudget
from codeout.recordings.svg import MAX_DEPTH, MAX_ELEMENTS, check_svg

FILE = io.BytesIO()
Image.new("1", (3, 3)).save(FILE, "png")
PNG = base64.b64encode(FILE.getvalue()).decode()
SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:l="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">{}</svg>'
FILE = io.BytesIO()
Image.new("1", (3, 3)).save(FILE, "jpeg")
SCANS = base64.b64encode(FILE.getvalue() + b"\xff\xda" * 101).decode()
CHART = """
import matplotlib
matplotlib.use("module://codeout.kernel.matplotlib_backend")
import matplotlib.pyplot as plt
plt.rcParams["savefig.format"] = "svg"
plt.rcParams["svg.fonttype"] = "none"
figure, (left, right) = plt.subplots(1, 2)
left.plot([1, 2, 3], [3, 1, 2], "--", marker="o", label="$x^2$ & <b>", alpha=0.5)
left.legend(); left.set_title("One"); left.set_yscale("log")
right.imshow([[1, 2], [3, 4]]); right.bar([1], [2]); right.text(0, 0, "wörd", rotation=30)
plt.show()
"""


def test_charts_of_matplotlib_are_taken(run: Callable[..., list[Run]]) -> None:
    (result,) = run(CHART)
    (figure,) = [output for output in result.outputs if isinstance(output, Figure)]
    assert "image/svg+xml" in figure.data
    check_svg(figure.data["image/svg+xml"], PictureBudget())


@pytest.mark.parametrize(
    "part",
    [
        "<path id='a' d='M0 0'/><use href='#a' x='1'/><use l:href='#a'/>",
        "<metadata><rdf xmlns='r' about='https://x'/></metadata>",
        "<style type='text/css'>*{stroke-linejoin: round; stroke-linecap: butt}</style>",
        "<g style='fill: rgb(1, 2, 3); clip-path: url(#c)'/>".replace("clip-path: url(#c)", "stroke: none"),
        "<g clip-path='url(#c)' transform='translate(1 2) scale(3)'/>",
        "<title>a &lt;b&gt; title</title><desc>and words</desc>",
        f"<image href='data:image/png;base64,{PNG}'/>",
        "<g xml:space='preserve' transform='matrix(1 0 0 -1 0.5 2e3) rotate(30)'/>",
        "<clipPath id='c'><path d='M0 0'/></clipPath>" + "<g clip-path='url(#c)'/>" * 1000,
    ],
    ids=lambda part: part[:40],
)
def test_what_draws_is_taken(part: str) -> None:
    check_svg(SVG.format(part), PictureBudget())


@pytest.mark.parametrize(
    "part",
    [
        '<a href="https://x"/>',
        '<image href="https://x/p.png"/>',
        '<image l:href="javascript:alert(1)"/>',
        '<image href="data:image/svg+xml;base64,AAAA"/>',
        '<image srcset="//x"/>',
        '<use href="https://x#a"/>',
        '<rect onload="x"/>',
        '<rect class="md-overlay"/>',
        '<rect name="querySelector"/>',
        '<rect fill="url(https://x)"/>',
        "<rect style=\"background-image: image-set('//x' 1x)\"/>",
        '<rect style="mask-image: url(//x)"/>',
        '<rect style="background: u\\rl(https://x)"/>',
        '<rect style="position: fixed"/>',
        '<rect style="position/**/:fixed"/>',
        '<rect style="fill: red; transform: scale(50)"/>',
        '<rect style="fill: var(--x)"/>',
        "<style>* { background: url(https://x) }</style>",
        "<style>* {}<title/> {} h1{background:url(//x)}</style>",
        "<style>body { display: none }</style>",
        "<style>@import 'https://x';</style>",
        '<style xmlns="">*{fill: red}</style>',
        '<style xmlns="http://www.w3.org/1999/xhtml">*{fill: red}</style>',
        "<foreignObject/>",
        "<animate/>",
        "<metadata/><g><metadata><script xmlns='http://www.w3.org/1999/xhtml'>1</script></metadata></g>",
        '<script xmlns="http://www.w3.org/1999/xhtml">1</script>',
        "<desc><image href='#a'/></desc>",
        "<symbol/>",
        "<image href='data:image/png;base64,AAAA'/>",
        f"<image href='data:image/png;base64,{'A' * 9001}'/>",
        "<text xmlns:s='http://www.w3.org/2000/svg' s:id='__config'>{}</text>",
        "<g l:style='position: fixed'/>",
        "<g l:title='x'/>",
        "<g transform='url(#url(#url(#'/>",
        f"<g transform='{'scale(1)      ' * 60}x'/>",
        "<text href='#a'/>",
        "<g id='a'>" + "<path d='M0 0'/>" * 1000 + "</g>" + "<use href='#a'/>" * 1000,
        "<clipPath id='c'>" + "<path d='M0 0'/>" * 1000 + "</clipPath>" + "<g clip-path='url(#c)'/>" * 1000,
        "".join(f"<g id='{n}'>" + "<g/>" * 15_000 + "</g>" + f"<use href='#{n}'/>" * 2 for n in "ab"),
        "<g id='a'><use href='#b'/></g><use href='#a'/>",
        "<clipPath id='c'><g clip-path='url(#c)'/></clipPath>",
        "<g>" * (MAX_DEPTH + 1) + "</g>" * (MAX_DEPTH + 1),
        "<g/>" * (MAX_ELEMENTS + 1),
        "<g>" * 3000 + "</g>" * 3000,
        "<g id='a'><use href='#b'/><g id='a'/></g><use href='#a'/>",
        f"<g xmlns:long='{'x' * 200}'/>",
        f"<image href='data:image/jpeg;base64,{SCANS}'/>",
        "<",
    ],
    ids=lambda part: part[:40],
)
def test_what_could_do_more_is_refused(part: str) -> None:
    with pytest.raises(InvalidRecording):
        check_svg(SVG.format(part), PictureBudget())


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + SVG.format("<text>&a;</text>"),
        '<!DOCTYPE svg [<!ATTLIST g fill CDATA "aaaa">]>' + SVG.format("<g/>"),
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" height="9999pt"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" width="9pt" height="999pt"/>',
        '<image xmlns="http://www.w3.org/2000/svg" srcset="//x" viewBox="0 0 9 9"/>',
        "<svg viewBox='0 0 9 9'/>",
        '<svg xmlns="http://www.w3.org/2000/svg"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1000"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 0 0"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9pt 9"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9px"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" style="margin: -999px"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" transform="scale(50)"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" width="calc(100vw)"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" class="md-overlay"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" height="999999px"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" role="alert"/>',
    ],
)
def test_a_picture_stays_in_its_frame_and_is_one(text: str) -> None:
    with pytest.raises(InvalidRecording):
        check_svg(text, PictureBudget())
