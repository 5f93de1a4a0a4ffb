"""Trials: which pages run with which versions, and how a page of the site tells it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from codeout import Config
from codeout.cli.main import main
from codeout.publish.compat import CompatResult, PageResult, from_json, load, table, to_json
from small_sites import CONFIG, build

OLD = CompatResult(
    (("torch", "2.9.0"),), "3.11.7", "CPU", "2026-11-01", (PageResult("docs/a.md", 3, "docs/a.md:9: no <b>", ()),)
)
NEW = CompatResult(
    (("torch", "2.15.0"),), "3.11.7", "CPU", "2026-11-02", (PageResult("docs/a.md", 3, "", ("docs/a.md s 1",)),)
)


def test_a_trial_says_of_each_page_whether_it_ran_and_what_differs(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    (project / ".codeout").rename(project / "published")
    (project / "mkdocs.yml").write_text(CONFIG.replace("[snippets]}", "[snippets], packages: [markdown-exec]}"))
    (project / "docs" / "second.md").write_text('# Second\n\n```python exec="on"\n1 / 0\n```\n')
    snippet = project / "snippets" / "first.py"
    snippet.write_text(snippet.read_text().replace('"cpu"', '"other"'))
    assert main(["compat", "-o", "recordings/tried/x.json", "--against", "published"]) == 1
    (trial,) = load(Config.from_options({"root": project}))
    assert trial.pages[0] == PageResult("docs/first.md", 2, "", ("docs/first.md first 2",))
    assert trial.pages[1].error == "docs/second.md:4: ZeroDivisionError: division by zero"
    assert [name for name, _ in trial.packages] == ["markdown-exec"]
    said = capsys.readouterr().out
    assert "docs/first.md: runs; 1 of 2 outputs differ" in said
    assert "docs/second.md: docs/second.md:4: ZeroDivisionError" in said
    (project / "docs" / "second.md").unlink()
    assert main(["compat", "-o", "y.json"]) == 0, "without anything to compare with, nothing differs"
    assert from_json(Path("y.json").read_text()).pages[0].drifted == ()


def test_trials_are_a_table_in_the_order_of_versions(tmp_path: Path) -> None:
    folder = tmp_path / "recordings" / "tried"
    folder.mkdir(parents=True)
    for name, trial in (("a", NEW), ("b", replace(OLD, date="2026-01-01", pages=())), ("c", OLD)):
        (folder / f"{name}.json").write_text(to_json(trial))
    found = load(Config.from_options({"root": tmp_path}))
    assert found == [OLD, NEW], "of two trials of the same versions, the newest counts"
    soup = BeautifulSoup(table(found, {"docs/a.md": "Page A"}), "html.parser")
    rows = [[cell.get_text() for cell in row.select("th, td")] for row in soup.select("tr")]
    assert rows == [
        ["", "2.9.0", "2.15.0"],
        ["Page A", "fails", "1 of 3 differ"],
        ["tried", "2026-11-01", "2026-11-02"],
    ]
    assert [item.get_text() for item in soup.select("li")] == ["2.9.0, Page A: docs/a.md:9: no <b>"]
    assert soup.find("b") is None


def test_a_page_shows_the_table(project: Path) -> None:
    (project / "recordings" / "tried").mkdir(parents=True)
    (project / "recordings" / "tried" / "x.json").write_text(to_json(NEW))
    (project / "docs" / "index.md").write_text('# Home\n\n<div class="codeout-trials"></div>\n')
    assert build(project, "--strict").returncode == 0
    assert "1 of 3 differ" in (project / "site" / "index.html").read_text()


@pytest.mark.parametrize("text", ["[]", "{}", json.dumps({"packages": 1}), "null", to_json(replace(NEW, packages=()))])
def test_what_is_no_trial_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a trial"):
        from_json(text)
