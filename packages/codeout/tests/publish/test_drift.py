"""The drift report: what changed between two stores, as a page to look at."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from msgspec.structs import replace
from PIL import Image

from codeout import Figure, Output, Run, RunStore, Stream, Value
from codeout.cache.keys import Environment, Key, KeyInputs
from codeout.cli.main import main
from codeout.compare.runs import compare, moved_numbers
from codeout.publish.drift import drift_page
from helpers import PROVENANCE
from small_sites import select_tag

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="{}" height="5"/></svg>'


def run(*outputs: Output, **told: object) -> Run:
    return Run(outputs=outputs, provenance=replace(PROVENANCE, **told))


def shown(old: dict[str, Run], new: dict[str, Run]) -> BeautifulSoup:
    return BeautifulSoup(drift_page(compare(old, new), old, new), "html.parser")


def png(shade: int) -> str:
    file = io.BytesIO()
    Image.new("RGB", (9, 9), (shade, shade, shade)).save(file, "png")
    return base64.b64encode(file.getvalue()).decode()


def test_numbers_that_moved_are_listed_the_farthest_first() -> None:
    old = {"b": run(Stream("stdout", "loss: 2.251\nacc: 50.0 %\nsame: 3\n"))}
    new = {"b": run(Stream("stdout", "loss: 2.249\nacc: 55.0 %\nsame: 3\n"))}
    soup = shown(old, new)
    rows = [[cell.get_text() for cell in row.select("td")] for row in soup.select("table tr") if row.select("td")]
    assert rows == [["50.0", "55.0", "9.1 %"], ["2.251", "2.249", "0.089 %"]]
    assert [mark.get_text() for mark in soup.select("mark")] == [
        *("loss: 2.251", "acc: 50.0 %"),
        *("loss: 2.249", "acc: 55.0 %"),
    ]
    assert [number.share for number in moved_numbers("x nan", "x 1.0")] == [float("inf")]


def test_old_stands_beside_new_with_device_version_and_date() -> None:
    old = {"b": run(Stream("stdout", "one"), packages=(("torch", "2.14.1"),), date="2026-10-01T00:00:00+00:00")}
    new = {"b": run(Stream("stdout", "two"), packages=(("torch", "2.15.0"),), date="2026-11-01T00:00:00+00:00")}
    soup = shown(old, new)
    heads = [head.get_text() for head in soup.select(".both h3")]
    assert heads == ["old · CPU · torch 2.14.1 · 2026-10-01", "new · CPU · torch 2.15.0 · 2026-11-01"]
    assert "torch 2.14.1 → 2.15.0" in soup.get_text()
    assert select_tag(soup, "h1").get_text() == "Outputs: 1 of 1 changed"


@pytest.mark.parametrize(
    ("mime", "old", "new"),
    [("image/svg+xml", SVG.format(1), SVG.format(8)), ("image/png", png(0), png(255))],
)
def test_pictures_are_shown_as_images(mime: str, old: str, new: str) -> None:
    soup = shown({"b": run(Figure({mime: old}, "words"))}, {"b": run(Figure({mime: new}, "words"))})
    images = soup.select(".both img")
    assert [image["alt"] for image in images] == ["words", "words"]
    data = [base64.b64decode(str(image["src"]).partition(",")[2]) for image in images]
    assert data == [part.encode() if mime.endswith("xml") else base64.b64decode(part) for part in (old, new)]
    assert soup.find("svg") is None, "a picture can't act"


def test_nothing_in_an_output_can_act() -> None:
    bad = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    old = {bad: run(Stream("stdout", "a"), Value({"text/html": "<b>x</b>"}), device=bad)}
    new = {bad: run(Stream("stdout", bad), Value({"text/html": bad}))}
    soup = shown(old, new)
    assert soup.find("script") is None
    assert [image for image in soup.find_all("img") if image["src"] == "x"] == []
    frames = soup.find_all("iframe")
    assert [" ".join(frame["sandbox"]) for frame in frames] == ["", ""], "no script runs in them"
    assert frames[1]["srcdoc"] == bad


def test_noise_is_not_in_the_report() -> None:
    old, new = run(Stream("stdout", "3.1 s at 0x7f00aabbcc")), run(Stream("stdout", "2.9 s at 0x7f00ddeeff"))
    soup = shown({"same": old}, {"same": new, "more": new})
    assert soup.select("section") == []
    assert "added: more" in soup.get_text()
    assert "0 of 1 changed" in soup.get_text()


def test_long_text_is_cut_and_says_so() -> None:
    soup = shown({"b": run(Stream("stdout", "x\n" * 5000))}, {"b": run(Stream("stdout", "y\n" * 5000))})
    assert [text.get_text().endswith("… 6,000 more characters") for text in soup.select("pre")] == [True, True]


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = Environment(python="3", platform="Linux", device="CPU", packages=(), variables=())
    recipe = KeyInputs(environment=here, session="docs/a.md s", settings=(), files=(), codes=("code",))
    for name, word in (("old", "1.5"), ("new", "2.5")):
        RunStore(tmp_path / name).put(
            Key("a" * 40, "b" * 16, "c" * 16), run(Stream("stdout", word)), recipe, "docs/a.md s 1"
        )
    file = tmp_path / "drift.html"
    assert main(["diff", str(tmp_path / "old"), str(tmp_path / "new"), "--html", str(file)]) == 1
    assert "# Outputs: 1 of 1 changed" in capsys.readouterr().out
    assert "docs/a.md s 1" in file.read_text()
