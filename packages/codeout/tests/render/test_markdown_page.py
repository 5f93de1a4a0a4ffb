"""A page as plain Markdown with its outputs."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from codeout import Error, Figure, Output, Run, Source, Stream, Value
from codeout.model.blocks import HOLE
from codeout.model.outputs import Case
from codeout.model.sweeps import ONCE, Sweep, parse_sweep
from codeout.render.cells import Page
from codeout.render.markdown_page import markdown_page
from helpers import PROVENANCE, block, without_sources
from small_sites import CONFIG, build, write_site

TEXT = f"# Title\n\nSome $x$.\n\n!!! note\n\n    A note.\n\n{HOLE}0\n\nThe end, {{x}}.\n"
UNREADABLE = "*Not shown here: an output to look at.*"


def written(*outputs: Output, cases: tuple[Case, ...] = (), sweep: Sweep = ONCE, shows_source: bool = True) -> str:
    run = Run(outputs=outputs, provenance=without_sources(PROVENANCE), values={"x": 3}, cases=cases)
    shown = block("x = 3\nprint(x)  # (1)!", sweep=sweep, shows_source=shows_source)
    return markdown_page(Page(text=TEXT, blocks=[shown], runs=[run]))


def test_prose_code_and_output_follow_each_other() -> None:
    assert written(Stream("stdout", "3\n"), Value({"text/plain": "4"})) == (
        "# Title\n\nSome $x$.\n\n> **Note**\n>\n> A note.\n\n```python\nx = 3\nprint(x)  # (1)\n```\n\n"
        "Output:\n\n```text\n3\n4\n```\n\nThe end, 3.\n\n"
        "*Outputs computed on CPU, Python 3.11, torch 2.15.0, on 2026-11-23.*\n"
    )


def test_a_picture_is_its_alt_text_between_the_texts_around_it() -> None:
    shown = written(Stream("stdout", "a"), Figure({"image/svg+xml": "<svg/>"}, "A curve"), Stream("stdout", "b"))
    assert "```text\na\n```\n\n*Picture: A curve*\n\n```text\nb\n```" in shown
    assert "<svg" not in shown


def test_markdown_values_are_markdown_and_others_plain_text() -> None:
    shown = written(Value({"text/markdown": "**bold**", "text/plain": "x"}), Value({"text/html": "<b>"}))
    assert f"\n\n**bold**\n\n{UNREADABLE}" in shown


def test_a_drawing_is_its_title_and_description() -> None:
    svg = '<svg><title id="t">A &amp; B</title><desc>Two boxes.</desc><g><title>inner</title></g></svg>'
    assert "*Picture: A & B. Two boxes*" in written(Value({"image/svg+xml": svg, "text/plain": "Drawing(...)"}))


@pytest.mark.parametrize("text", ["x" * 10_001, "<IPython.core.display.HTML object>"])
def test_a_value_that_is_made_to_be_seen_is_mentioned(text: str) -> None:
    shown = written(Value({"text/html": "<b>", "text/plain": text}))
    assert UNREADABLE in shown
    assert text not in shown


def test_an_error_is_shown_as_text_and_code_that_the_page_hides_is_not() -> None:
    shown = written(Error(type="E", message="m", traceback="Traceback\nE: m", line=1), shows_source=False)
    assert "```text\nTraceback\nE: m\n```" in shown
    assert "```python" not in shown


def test_a_fence_is_longer_than_those_in_its_text() -> None:
    assert "````text\n```\n````" in written(Stream("stdout", "```\n"))


def test_each_case_of_a_sweep_is_named() -> None:
    cases = (Case(("4",), (Stream("stdout", "four"),), 1.0),)
    shown = written(Stream("stdout", "three"), cases=cases, sweep=parse_sweep("x=3,4"))
    assert "Output with x = 3:\n\n```text\nthree\n```\n\nOutput with x = 4:\n\n```text\nfour\n```" in shown


def test_placeholder_data_is_named() -> None:
    source = Source("D", "placeholder", "drawn")
    run = Run(outputs=(Stream("stdout", "3"),), provenance=without_sources(PROVENANCE, source), values={"x": 3})
    assert "> **D is placeholder data:** drawn\n\nOutput:" in markdown_page(
        Page(text=TEXT, blocks=[block("x = 3")], runs=[run])
    )
    silent = replace(run, outputs=())
    assert "is placeholder data" not in markdown_page(Page(text=TEXT, blocks=[block("x = 3")], runs=[silent]))


def test_a_site_offers_it(tmp_path: Path) -> None:
    config = CONFIG.replace("{paths: [snippets]}", "{downloads: [md]}")
    page = '# A\n\n```python exec="on" source="above"\n1 + 1\n```\n'
    project = write_site(tmp_path, {"mkdocs.yml": config, "docs/a.md": page})
    (project / "snippets").mkdir()
    result = build(project)
    assert result.returncode == 0, result.stderr
    assert "```text\n2\n```" in (project / "site" / "a" / "a.md").read_text()
    assert '<a href="a.md" download>Markdown</a>' in (project / "site" / "a" / "index.html").read_text()
