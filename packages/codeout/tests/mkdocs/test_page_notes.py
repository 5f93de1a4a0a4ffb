"""What pages say of their runs, and the style that they bring along."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from small_sites import CONFIG, build, convert, page, write_site

SELECTORS = {"sentence": ".codeout-sentence", "run_line": ".codeout-run", "link": ".codeout-link"}
SEARCHED = CONFIG.replace("plugins:\n", "plugins:\n  - search\n")
PAGE = page(('source="above"', "print(1)"))


@pytest.mark.parametrize("notes", [[], ["run_line"], ["sentence", "link"]], ids=str)
def test_a_setting_switches_off_what_a_page_says_of_its_runs(tmp_path: Path, notes: list[str]) -> None:
    config = CONFIG.replace("{paths: [snippets]}", f"{{page_notes: [{', '.join(notes)}]}}")
    project = write_site(tmp_path, {"mkdocs.yml": config, "docs/index.md": PAGE, "snippets/a.py": ""})
    result = build(project)
    assert result.returncode == 0, result.stderr
    shown = BeautifulSoup((project / "site" / "index.html").read_text(), "html.parser")
    assert [name for name, selector in SELECTORS.items() if shown.select(selector)] == sorted(
        notes, key=[*SELECTORS].index
    )
    assert shown.select(".codeout-stream")


def test_what_a_page_says_of_its_runs_is_not_searched(tmp_path: Path) -> None:
    project = write_site(tmp_path, {"mkdocs.yml": SEARCHED, "docs/index.md": PAGE, "snippets/a.py": ""})
    assert build(project).returncode == 0
    index = (project / "site" / "search" / "search_index.json").read_text()
    assert "print" in index
    assert not re.search(r"block ran|build cache|codeout-", index)


def test_a_page_with_outputs_brings_its_style_along_once(tmp_path: Path) -> None:
    text = page(('source="above"', "print(1)"), ('source="above"', "print(2)"))
    files = {"mkdocs.yml": CONFIG, "docs/index.md": text, "docs/none.md": "# Title\n\nNo block.", "snippets/a.py": ""}
    project = write_site(tmp_path, files)
    assert build(project).returncode == 0
    html, none = ((project / "site" / path / "index.html").read_text() for path in ("", "none"))
    assert html.count("<style>") == none.count("<style>") + 1
    assert html.index(":where(.codeout-block)") < html.index('class="codeout-block"')
    assert convert(text, tmp_path).count("<style>") == 1, "without the plugin as well"
    assert "<style>" not in convert(text.partition("\n")[2], tmp_path), "without a title it may be no page at all"
