"""Which pages run with which versions, and how a page of the site shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from msgspec.structs import replace

from codeout import Config, PageError
from codeout.cli.main import main
from codeout.publish.compat import CompatResult, PageResult, read_result, read_results, table, write_result
from small_sites import CONFIG, build

OLD = CompatResult(
    packages=(("torch", "2.9.0"),),
    python="3.11.7",
    device="CPU",
    date="2026-11-01",
    pages=(PageResult(page="docs/a.md", blocks=3, error="docs/a.md:9: no <b>", drifted=()),),
)
NEW = replace(
    OLD,
    packages=(("torch", "2.15.0"),),
    date="2026-11-02",
    pages=(PageResult(page="docs/a.md", blocks=3, error="", drifted=("docs/a.md s 1",)),),
)


def test_a_result_says_of_each_page_whether_it_ran_and_what_differs(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    (project / ".codeout").rename(project / "published")
    (project / "mkdocs.yml").write_text(CONFIG.replace("[snippets]}", "[snippets], packages: [markdown-exec]}"))
    (project / "docs" / "second.md").write_text('# Second\n\n```python exec="on"\n1 / 0\n```\n')
    snippet = project / "snippets" / "first.py"
    snippet.write_text(snippet.read_text().replace('"cpu"', '"other"'))
    assert main(["compat", "-o", "recordings/compat/x.json", "--against", "published"]) == 1
    (result,) = read_results(Config.from_options({"root": project}))
    assert result.pages[0] == PageResult(page="docs/first.md", blocks=2, error="", drifted=("docs/first.md first 2",))
    assert result.pages[1].error == "docs/second.md:4: ZeroDivisionError: division by zero"
    assert [name for name, _ in result.packages] == ["markdown-exec"]
    output = capsys.readouterr().out
    assert "docs/first.md: runs; 1 of 2 outputs differ" in output
    assert "docs/second.md: docs/second.md:4: ZeroDivisionError" in output
    (project / "docs" / "second.md").unlink()
    assert main(["compat", "-o", "y.json"]) == 0, "without anything to compare with, nothing differs"
    assert read_result(Path("y.json")).pages[0].drifted == ()


def test_results_are_a_table_in_the_order_of_versions(tmp_path: Path) -> None:
    for name, result in (("a", NEW), ("b", replace(OLD, date="2026-01-01", pages=())), ("c", OLD)):
        write_result(result, tmp_path / "recordings" / "compat" / f"{name}.json")
    results = read_results(Config.from_options({"root": tmp_path}))
    assert results == [OLD, NEW], "of two results of the same versions, the newest counts"
    soup = BeautifulSoup(table(results, {"docs/a.md": "Page A"}), "html.parser")
    rows = [[cell.get_text() for cell in row.select("th, td")] for row in soup.select("tr")]
    assert rows == [
        ["", "2.9.0", "2.15.0"],
        ["Page A", "fails", "1 of 3 differ"],
        ["date", "2026-11-01", "2026-11-02"],
    ]
    assert [item.get_text() for item in soup.select("li")] == ["2.9.0, Page A: docs/a.md:9: no <b>"]
    assert soup.find("b") is None


def test_a_page_shows_the_table(project: Path) -> None:
    write_result(NEW, project / "recordings" / "compat" / "x.json")
    (project / "docs" / "index.md").write_text('# Home\n\n<div class="codeout-compat"></div>\n')
    assert build(project, "--strict").returncode == 0
    assert "1 of 3 differ" in (project / "site" / "index.html").read_text()


LONG = '{"packages": [["torch", "%s"]], "python": "3", "device": "CPU", "date": "2026", "pages": []}' % ("9" * 5000)


@pytest.mark.parametrize("text", ["[]", "{}", json.dumps({"packages": 1}), "null", "[" * 100_000, LONG])
def test_what_is_not_a_result_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(PageError, match=r"x\.json:1: not a result of `codeout compat`"):
        read_result(path)


def test_a_result_names_a_package(tmp_path: Path) -> None:
    write_result(replace(NEW, packages=()), tmp_path / "x.json")
    with pytest.raises(PageError, match="not a result"):
        read_result(tmp_path / "x.json")
