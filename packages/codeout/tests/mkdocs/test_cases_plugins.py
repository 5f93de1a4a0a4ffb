"""Sites with other plugins: what they generate, replace, include and template is run and named as its author has it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from small_sites import article_text, build, codeout, fence, page_html, site_config, write_site

GENERATE = """
import mkdocs_gen_files
with mkdocs_gen_files.open("made.md", "w") as file:
    file.write(TEXT)
"""
DOWNLOADS = "downloads: [ipynb, py]"


def built(folder: Path, files: dict[str, str], *arguments: str) -> str:
    """Build a site, which must succeed; return its log."""
    done = build(write_site(folder, files), *arguments)
    assert done.returncode == 0, done.stderr
    return done.stderr


def failed(folder: Path, files: dict[str, str]) -> str:
    """Build a site, which must fail; return its log."""
    done = build(write_site(folder, files))
    assert done.returncode != 0
    assert "site-packages" not in done.stderr, "a sentence, not a traceback of ours"
    return done.stderr


def notebook_cells(project: Path, path: str) -> list[tuple[str, str]]:
    """Return the type and text of a notebook's cells, but for the last one, which says where it ran."""
    cells = json.loads((project / "site" / path).read_text(encoding="utf8"))["cells"]
    return [(cell["cell_type"], "".join(cell["source"])) for cell in cells][:-1]


def test_a_generated_page_is_built_with_its_notebook(tmp_path: Path) -> None:
    text = f"# Made\n\nWords.\n\n{fence('print(6 * 7)')}\n\nEnd.\n"
    files = {
        "mkdocs.yml": site_config("gen-files: {scripts: [gen.py]}", codeout=DOWNLOADS),
        "gen.py": GENERATE.replace("TEXT", repr(text)),
        "docs/index.md": "# Home\n",
    }
    built(tmp_path, files, "--strict")
    assert "<code>42</code>" in page_html(tmp_path, "made")
    expected = [("markdown", "# Made\n\nWords."), ("code", "print(6 * 7)"), ("markdown", "End.")]
    assert notebook_cells(tmp_path, "made/made.ipynb") == expected
    assert "hit    docs/made.md:5" in codeout(tmp_path, "status")
    assert "0 blocks" not in codeout(tmp_path, "clean")
    assert "running" not in built(tmp_path, {})


def test_a_mistake_on_a_generated_page_names_its_line(tmp_path: Path) -> None:
    text = f"# Made\n\n{fence('1 / 0')}\n"
    files = {
        "mkdocs.yml": site_config("gen-files: {scripts: [gen.py]}"),
        "gen.py": GENERATE.replace("TEXT", repr(text)),
        "docs/index.md": "# Home\n",
    }
    assert "docs/made.md:4: ZeroDivisionError" in failed(tmp_path, files)


def test_templates_are_in_downloads_as_the_page_shows_them(tmp_path: Path) -> None:
    page = "# Version {{ 1 + 1 }}\n\n{% set n = 5 %}\n\nWords.\n\n" + fence('print({"n": {{ n }} })') + "\n\nEnd.\n"
    built(tmp_path, {"mkdocs.yml": site_config("macros", codeout=DOWNLOADS), "docs/index.md": page}, "--strict")
    cells = notebook_cells(tmp_path, "index.ipynb")
    assert [kind for kind, _ in cells] == ["markdown", "code", "markdown"]
    assert cells[0][1].startswith("# Version 2") and cells[0][1].endswith("Words.") and "```" not in cells[0][1]
    assert cells[1][1] == 'print({"n": 5 })'
    assert cells[2][1] == "End."
    script = (tmp_path / "site" / "index.py").read_text(encoding="utf8")
    assert "{%" not in script and "# Version 2" in script


@pytest.mark.parametrize("front_matter", ["", "---\ntitle: A\n---\n", "---\ntitle: A\n---\n\n\n"])
@pytest.mark.parametrize("ending", ["", "\n", "\n\n\n"])
@pytest.mark.parametrize("plugin", ["macros", "include-markdown"])
def test_places_are_right_with_plugins_that_change_the_text(
    plugin: str, front_matter: str, ending: str, tmp_path: Path
) -> None:
    page = f"{front_matter}# Page\n\n{fence('1 / 0')}{ending}"
    line = page[: page.index("1 / 0")].count("\n") + 1
    assert f"docs/index.md:{line}: ZeroDivisionError" in failed(
        tmp_path, {"mkdocs.yml": site_config(plugin), "docs/index.md": page}
    )


def test_places_are_right_below_templates_of_many_lines(tmp_path: Path) -> None:
    page = "{% set rows = [1, 2, 3] %}\n# Page\n\n{% for row in rows %}\n- {{ row }}\n{% endfor %}\n\n" + fence(
        "y = 1\n1 / 0"
    )
    log = failed(tmp_path, {"mkdocs.yml": site_config("macros"), "docs/index.md": page})
    assert "docs/index.md:10: ZeroDivisionError" in log


def test_a_block_that_a_template_made_is_named_with_its_page(tmp_path: Path) -> None:
    page = "# Page\n\n" + fence("x = {{ 1 - 1 }}\nprint(1 / x)")
    log = failed(tmp_path, {"mkdocs.yml": site_config("macros"), "docs/index.md": page})
    assert re.search(r"docs/index\.md:\d+: ZeroDivisionError", log)


def test_included_markdown_is_run_and_named_where_it_is(tmp_path: Path) -> None:
    config = site_config("include-markdown", codeout=DOWNLOADS)
    page = "# Page\n\n" + fence("x = 1") + '\n\n{% include-markdown "../parts/part.md" %}\n\nNow {x}.\n'
    part = "Words.\n\n" + fence("x += 1\nprint('part', x)") + "\n"
    files = {"mkdocs.yml": config, "docs/index.md": page, "parts/part.md": part}
    built(tmp_path, files, "--strict")
    shown = article_text(tmp_path)
    assert "part 2" in shown
    assert "Now 2 ." in shown
    cells = [text for _, text in notebook_cells(tmp_path, "index.ipynb")]
    assert cells == ["# Page", "x = 1", "Words.", "x += 1\nprint('part', x)", "Now 2."]
    log = failed(tmp_path, {"parts/part.md": part.replace("print('part', x)", "1 / 0")})
    assert "docs/index.md:7 (parts/part.md:5): ZeroDivisionError" in log


INCLUDED = {
    "include-markdown": ("include-markdown", '{% include-markdown "../parts/part.md" %}'),
    "gen-files": ("gen-files: {scripts: [gen.py]}", "text"),
    "macros": ("macros", '{% include "part.md" %}'),
}


@pytest.mark.parametrize("name", INCLUDED)
def test_clean_keeps_what_the_build_used(name: str, tmp_path: Path) -> None:
    plugin, directive = INCLUDED[name]
    part = "Words.\n\n" + fence('x = 1\nprint("long training")') + "\n"
    plugin = "macros: {include_dir: parts}" if name == "macros" else plugin
    files = {
        "mkdocs.yml": site_config(plugin),
        "docs/index.md": f"# Page\n\n{directive}\n",
        "parts/part.md": part,
        "gen.py": GENERATE.replace("TEXT", repr(part)),
    }
    assert "running 1 block" in built(tmp_path, files, "--strict")
    assert "removed 0 runs" in codeout(tmp_path, "clean")
    assert "running" not in built(tmp_path, {}, "--strict")


def test_pages_of_a_project_in_the_project_are_named_as_their_author_has_them(tmp_path: Path) -> None:
    nav = 'nav:\n  - Home: index.md\n  - Sub: "!include ./sub/mkdocs.yml"\n'
    options = 'raises="ZeroDivisionError" session="a" source="above"'
    files = {
        "mkdocs.yml": site_config("monorepo", codeout=DOWNLOADS, rest=nav),
        "docs/index.md": "# Home\n",
        "sub/mkdocs.yml": "site_name: sub\nnav:\n  - Page: index.md\n",
        "sub/docs/index.md": f"# Sub\n\n{fence('1 / 0', options)}\n",
    }
    log = built(tmp_path, files)
    assert "sub/docs/index.md a: running 1 block" in log
    shown = article_text(tmp_path, "sub")
    assert "sub/docs/index.md" in shown
    assert "docs_" not in shown
    assert "running" not in built(tmp_path, {})
    assert article_text(tmp_path, "sub") == shown
    assert "hit    sub/docs/index.md:3" in codeout(tmp_path, "status")
    assert "removed 0 runs" in codeout(tmp_path, "clean")
    assert "sub/docs/index.md:4: ZeroDivisionError" in failed(
        tmp_path, {"sub/docs/index.md": f"# Sub\n\n{fence('1 / 0')}\n"}
    )


@pytest.mark.parametrize("is_above", [True, False])
def test_a_minified_page_has_the_same_links_and_overview(is_above: bool, tmp_path: Path) -> None:
    minify = "minify: {minify_html: true}"
    config = site_config(*([minify] if is_above else []), codeout=DOWNLOADS) + ("" if is_above else f"  - {minify}\n")
    page = f'# Page\n\n{fence("print(7)")}\n\n<div class="codeout-overview"></div>\n'
    built(tmp_path, {"mkdocs.yml": config, "docs/index.md": page}, "--strict")
    soup = BeautifulSoup((tmp_path / "site" / "index.html").read_text(encoding="utf8"), "html.parser")
    assert [link["href"] for link in soup.select(".codeout-sentence a[download]")] == ["index.ipynb", "index.py"]
    assert soup.select("article table"), "the overview"


@pytest.mark.parametrize(
    "plugin", ["tags", "macros", "include-markdown", "section-index", "literate-nav", "minify", "HOOK"]
)
def test_sessions_of_a_cold_build_overlap_with_other_plugins(plugin: str, tmp_path: Path) -> None:
    code = (
        "import time\nfrom pathlib import Path\n"
        f"stamp = lambda what: Path({str(tmp_path)!r}, 'N-' + what).write_text(str(time.time()))\n"
        "_ = stamp('start')\ntime.sleep(2)\n_ = stamp('end')"
    )
    pages = {f"docs/p{number}.md": f"# P\n\n{fence(code.replace('N-', f'{number}-'))}\n" for number in (1, 2)}
    hook = "def on_page_markdown(markdown, **_):\n    return markdown\n"
    names = [plugin] if plugin != "HOOK" else []
    config = site_config(*names, codeout="jobs: 2", rest="hooks: [hook.py]\n" if plugin == "HOOK" else "")
    built(tmp_path, {"mkdocs.yml": config, "docs/index.md": "# Home\n", "hook.py": hook, **pages})
    times = {
        f"{number}-{what}": float((tmp_path / f"{number}-{what}").read_text())
        for number in (1, 2)
        for what in ("start", "end")
    }
    assert max(times["1-start"], times["2-start"]) < min(times["1-end"], times["2-end"])
