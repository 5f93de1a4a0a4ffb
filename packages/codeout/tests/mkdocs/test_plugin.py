"""Small sites, built by MkDocs: with the engine, without its plugin, and without the engine at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from small_sites import CONFIG, PAGE, SNIPPET, TABS, build, page_html, write_site


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a small site that nothing has built yet."""
    return write_site(
        tmp_path,
        {
            "mkdocs.yml": CONFIG,
            "docs/index.md": "# Home\n",
            "docs/first.md": PAGE,
            "snippets/first.py": SNIPPET,
            "snippets/helper.py": "VALUE = 41\n",
        },
    )


def test_a_page_shows_what_its_snippet_does(project: Path) -> None:
    done = build(project, "--strict")
    assert done.returncode == 0, done.stderr
    assert "<code>x is 41</code>" in page_html(project)


def test_an_edit_of_an_imported_module_is_seen(project: Path) -> None:
    build(project)
    (project / "snippets" / "helper.py").write_text("VALUE = 42\n")
    assert build(project).returncode == 0
    assert "<code>x is 42</code>" in page_html(project)


def test_nothing_runs_when_nothing_has_changed(project: Path) -> None:
    assert "running 2 blocks" in build(project).stderr
    (project / "docs" / "first.md").write_text(PAGE.replace("# First", "# First, and prose"))
    assert "running" not in build(project).stderr
    assert "<code>x is 41</code>" in page_html(project)


@pytest.mark.parametrize("strict", [[], ["--strict"]])
def test_an_exception_fails_the_build_with_page_snippet_and_both_lines(project: Path, strict: list[str]) -> None:
    (project / "snippets" / "first.py").write_text(SNIPPET.replace('print("x is", x)', "y = 1\nprint(x / 0)"))
    done = build(project, *strict)
    assert done.returncode != 0
    assert "docs/first.md:10 (snippets/first.py:10): ZeroDivisionError: division by zero" in done.stderr
    assert "site-packages" not in done.stderr, "a sentence, not a traceback of ours"


def test_a_missing_section_fails_the_build_with_its_line(project: Path) -> None:
    (project / "docs" / "first.md").write_text(PAGE.replace("first.py:two", "first.py:three"))
    done = build(project)
    assert done.returncode != 0
    assert (
        "docs/first.md:11: Snippet section 'three' could not be located; sections of first.py: one, two" in done.stderr
    )
    assert "site-packages" not in done.stderr


def test_pages_that_another_plugin_writes_are_run_as_they_are_then(project: Path) -> None:
    hook = "def on_page_markdown(markdown, **_):\n    return markdown.replace('{{ n }}', '7')\n"
    (project / "hook.py").write_text(hook)
    (project / "mkdocs.yml").write_text(CONFIG + "hooks: [hook.py]\n")
    (project / "docs" / "first.md").write_text(f'# First\n\n```python exec="on" {TABS}\nprint({{{{ n }}}} * 6)\n```\n')
    done = build(project, "--strict")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("running") == 1
    assert "<code>42</code>" in page_html(project)


def test_a_site_in_another_folder_names_files_from_there(project: Path) -> None:
    (project / "sub").mkdir()
    config = CONFIG.replace("paths: [snippets]", "paths: [../snippets]") + "docs_dir: ../docs\nsite_dir: ../site\n"
    (project / "sub" / "mkdocs.yml").write_text(config)
    (project / "docs" / "first.md").write_text('# First\n\n```python exec="on"\n1 / 0\n```\n')
    done = build(project, "-f", "sub/mkdocs.yml")
    assert "../docs/first.md:4: ZeroDivisionError" in done.stderr


def test_the_extension_alone_makes_the_same_page(project: Path) -> None:
    build(project)
    with_plugin = page_html(project)
    (project / "mkdocs.yml").write_text(CONFIG.replace("  - codeout\n", ""))
    assert build(project, "--strict").returncode == 0
    assert article(page_html(project)) == article(with_plugin)


def test_properdocs_makes_the_same_page(project: Path) -> None:
    build(project)
    by_mkdocs = page_html(project)
    done = build(project, "-f", "mkdocs.yml", generator="properdocs")
    assert done.returncode == 0, done.stderr
    assert article(page_html(project)) == article(by_mkdocs)
    (project / "snippets" / "first.py").write_text(SNIPPET.replace('print("x is", x)', "print(x / 0)"))
    failed = build(project, "-f", "mkdocs.yml", generator="properdocs")
    assert failed.returncode != 0
    assert "docs/first.md:10 (snippets/first.py:9): ZeroDivisionError" in failed.stderr


def test_zensical_shows_the_same_code_and_out(project: Path) -> None:
    build(project)
    by_mkdocs = words(page_html(project))
    done = build(project, generator="zensical")
    assert done.returncode == 0, done.stderr
    assert "x is 41" in by_mkdocs
    assert words(page_html(project)) == by_mkdocs


def test_the_same_page_builds_under_plain_markdown_exec(project: Path) -> None:
    plain = CONFIG.replace("  - codeout: {paths: [snippets]}\n", "").replace("  - codeout\n", "")
    (project / "mkdocs.yml").write_text(plain)
    done = build(project, "--strict", PYTHONPATH="snippets")
    assert done.returncode == 0, done.stderr
    assert "x is 41" in page_html(project)


def words(page: str) -> list[str]:
    """Return what a page shows of code and outputs."""
    found = BeautifulSoup(page, "html.parser").select("article pre code, .tabbed-labels")
    return [part.get_text(" ", strip=True) for part in found]


def article(page: str) -> str:
    """Return a page's own part, without when and under which key its blocks ran: that depends on the page's path."""
    found = re.search(r'<h1 id="first">.*?</h1>(.*?)</article>', page, re.DOTALL)
    assert found is not None
    return re.sub(
        r"<style>.*?</style>|Ran: [^\n]*UTC|Memory: [^\n]*most|Code: [0-9a-f]{12}|\d+ ms|\n",
        "",
        found[1],
        flags=re.DOTALL,
    )
