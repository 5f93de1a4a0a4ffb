"""How outputs were computed: a sentence on each page, a table on one, and the downloads."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from msgspec.structs import replace

from codeout import Run, Source, Stream
from codeout.model.blocks import Block
from codeout.model.expectations import skipped_run
from codeout.model.outputs import Case
from codeout.render.overview import Row, facts, placeholder_notice, sentence, table
from helpers import PROVENANCE, block
from small_sites import CONFIG, build


def run(seconds: float, **provenance: object) -> Run:
    return Run(outputs=(Stream("stdout", "x"),), provenance=replace(PROVENANCE, seconds=seconds, **provenance))


def row(page: str, block: Block, run: Run, *, url: str = "", size: int = 0, is_recording: bool = False) -> Row:
    return Row(page=page, url=url, block=block, run=run, size=size, is_recording=is_recording)


def test_a_sentence_says_how_many_blocks_ran_how_long_on_what_and_when() -> None:
    provenance = {"device": "CPU", "packages": (("torch", "2.15.0"), ("x", "1")), "date": "2026-11-23T10:00:00+00:00"}
    assert (
        sentence([run(1.5, **provenance), run(0.4, **provenance)])
        == "2 blocks ran in 1.9 s on CPU, torch 2.15.0, 23 Nov 2026"
    )
    assert sentence([run(0.01, **{**provenance, "packages": ()})]) == "1 block ran in 10 ms on CPU, 23 Nov 2026"
    later = {**provenance, "device": "NVIDIA T4", "date": "2026-12-01T10:00:00+00:00"}
    assert sentence([run(1, **provenance), run(1, **later)]) == (
        "2 blocks ran in 2.0 s on CPU and NVIDIA T4, torch 2.15.0, 23 Nov 2026 to 1 Dec 2026"
    )
    assert sentence([]) == ""
    runs = [run(1, **provenance), skipped_run(run(1, **provenance), block("x"))]
    assert sentence(runs).startswith("1 of 2 blocks ran in ")


def test_the_times_are_those_of_all_runs_of_a_swept_block() -> None:
    swept = replace(run(1.0), cases=(Case(("2",), (), 2.0), Case(("3",), (), 4.0)))
    assert sentence([swept]).startswith("1 block ran in 7.0 s")
    assert "<td>7.000</td>" in table([row("P", block("a"), swept)])


def test_the_table_has_every_block_with_its_facts_and_a_bar() -> None:
    first, second = block("a"), block("b", line=9)
    rows = [
        row("Page <1>", first, run(3.0), url="p/#out-1", size=1500),
        row("Page <1>", second, run(1.0), url="p/#out-2"),
    ]
    soup = BeautifulSoup(table([*rows, row("Other", first, run(2.0), url="o/#out-1", size=9)]), "html.parser")
    cells = [[cell.get_text() for cell in tr.select("td")] for tr in soup.select("tbody tr") if tr.select("td")]
    assert cells[0][:3] == [f"page.md:{first.origin.line}", "3.000", "1.5 kB"]
    assert [link["href"] for link in soup.select("td a")] == ["p/#out-1", "p/#out-2", "o/#out-1"]
    assert [head.get_text() for head in soup.select("tbody th")] == ["Page <1>", "Other"]
    assert [bar["style"] for bar in soup.select(".codeout-bar")] == ["width: 100.00%", "width: 50.00%"]
    assert [cut["style"] for cut in soup.select(".codeout-bar span")][:2] == ["flex-grow: 3.0000", "flex-grow: 1.0000"]


def test_a_page_with_results_from_placeholder_data_says_so() -> None:
    cifar, weights = Source("CIFAR-10", "placeholder", "drawings"), Source("weights", "mirror", "a copy")
    runs = [run(1, sources=(cifar, weights)), run(1, sources=(cifar,)), run(1, sources=(weights,))]
    assert placeholder_notice(runs) == ("Some results on this page come from placeholder data: CIFAR-10: drawings.")
    assert placeholder_notice(runs[2:]) == ""


def test_the_facts_name_data_and_placeholder_data() -> None:
    sources = (Source("cifar", "mirror", "a copy"), Source("weights", "placeholder", "random"))
    text = BeautifulSoup(facts([row("P", block("a"), run(1, sources=sources))]), "html.parser").get_text(" ")
    assert "Data cifar: a copy" in text
    assert "Placeholder data weights: random" in text


def test_the_facts_name_what_did_not_run_on_a_gpu() -> None:
    here, there = block("a", session="train"), run(1, device="NVIDIA T4")
    rows = [row("P", here, run(1)), row("Q", block("b", session="other"), run(1))]
    reason = "Not run on a GPU P: this machine has none, and there is no recording of this code"
    assert reason in BeautifulSoup(facts(rows, ["tr*"]), "html.parser").get_text(" ")
    assert "Not run" not in facts(rows)
    assert "Not run" not in facts([*rows, row("P", here, there, is_recording=True)], ["tr*"])


def test_downloads_are_next_to_their_page(tmp_path: Path) -> None:
    page = '# First\n\n```python exec="on" session="s" source="above"\nprint(6 * 7)\n```\n'
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "docs" / "sub" / "first.md").write_text(page)
    (tmp_path / "docs" / "index.md").write_text('# Home\n\n<div class="codeout-overview"></div>\n')
    (tmp_path / "snippets").mkdir()
    (tmp_path / "mkdocs.yml").write_text(CONFIG.replace("{paths: [snippets]}", "{downloads: [ipynb, py]}"))
    for _ in range(2):  # the second time from what was kept
        assert build(tmp_path, "--strict").returncode == 0
        folder = tmp_path / "site" / "sub" / "first"
        html = (folder / "index.html").read_text()
        assert re.search(r'<p class="codeout-sentence"[^>]*>1 block ran in .*first.ipynb.*first.py', html)
        (code,) = [c for c in nbformat.read(folder / "first.ipynb", 4).cells if c.cell_type == "code"]
        assert code.outputs[0].text == "42\n"
        assert "print(6 * 7)" in (folder / "first.py").read_text()
        assert 'href="sub/first/#out-1"' in (tmp_path / "site" / "index.html").read_text()
        assert 'id="out-1"' in html
    wrong = CONFIG.replace("{paths: [snippets]}", "{downloads: [pdf]}")
    (tmp_path / "mkdocs.yml").write_text(wrong)
    assert "'downloads' may contain 'ipynb', 'py' and 'md', not 'pdf'" in build(tmp_path).stderr


def test_a_page_links_to_where_else_it_opens_if_that_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "docs" / "sub" / "first.md").write_text('# First\n\n```python exec="on" session="s"\nprint(1)\n```\n')
    elsewhere = '{open_in: {Lab: "https://lab/{REPO_2}/{page}.ipynb", Source: "https://source/{page}.md"}}'
    (tmp_path / "mkdocs.yml").write_text(CONFIG.replace("{paths: [snippets]}", elsewhere))
    monkeypatch.delenv("REPO_2", raising=False)
    assert build(tmp_path, "--strict").returncode == 0
    file = tmp_path / "site" / "sub" / "first" / "index.html"
    assert '<a href="https://source/sub/first.md">Source</a>' in file.read_text()
    assert "https://lab/" not in file.read_text()
    monkeypatch.setenv("REPO_2", 'a"b')
    build(tmp_path)
    assert '<a href="https://lab/a&quot;b/sub/first.ipynb">Lab</a>' in file.read_text()
