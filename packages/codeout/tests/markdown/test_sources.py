"""Included files, docstrings and excerpts: every block has a name of its own, and messages name the author's line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from small_sites import article_text, build, codeout, fence, indent, page_html, site_config, write_site

TABS = 'session="a" source="tabbed-left" tabs="Code|Out"'
README = f"# Project\n\nWhat it does.\n\n{fence('print(1)')}\n\nAnd then:\n\n{fence('print(2)')}\n\nThe end.\n"


def built(folder: Path, files: dict[str, str], *arguments: str) -> str:
    """Build a site, which must succeed; return its log."""
    done = build(write_site(folder, files), *arguments)
    assert done.returncode == 0, done.stderr
    return done.stderr


def failed(folder: Path, files: dict[str, str], *arguments: str) -> str:
    """Build a site, which must fail; return its log."""
    done = build(write_site(folder, files), *arguments)
    assert done.returncode != 0
    assert "site-packages" not in done.stderr, "a sentence, not a traceback of ours"
    return done.stderr


@pytest.mark.parametrize("options", ['source="above"', 'session="a" source="above"'])
def test_each_block_of_an_included_file_has_a_name_of_its_own(options: str, tmp_path: Path) -> None:
    text = "\n\n".join(
        ["# Project", fence('print("output of one")', options), fence('print("output of two")', options)]
    )
    files = {"mkdocs.yml": site_config(), "README.md": text, "docs/index.md": '--8<-- "README.md"\n'}
    built(tmp_path, files, "--strict")
    assert "output of one" in article_text(tmp_path) and "output of two" in article_text(tmp_path)
    assert "0 of 2 blocks are stale" in codeout(tmp_path, "status")
    rows = json.loads(codeout(tmp_path, "why", "--json"))
    assert [row["block"] for row in rows] == ["docs/index.md:1 (README.md:4)", "docs/index.md:1 (README.md:8)"]
    assert "running" not in built(tmp_path, {})


INCLUDES = {
    "a snippet": ("", '# Page\n\n--8<-- "parts/part.txt"\n', "3 (parts/part.txt:6)"),
    "snippets in a block": ("", "# Page\n\n--8<--\nparts/part.txt\n--8<--\n", "4 (parts/part.txt:6)"),
    "a section": ("", '# Page\n\n--8<-- "parts/sections.txt:one"\n', "3 (parts/sections.txt:8)"),
    "lines": ("", '# Page\n\n--8<-- "parts/part.txt:4:8"\n', "3 (parts/part.txt:6)"),
    "a snippet in a snippet": ("", '# Page\n\n--8<-- "parts/outer.txt"\n', "3 (parts/part.txt:6)"),
    "an indented snippet": ("", '# Page\n\n- item\n\n    --8<-- "parts/part.txt"\n', "5 (parts/part.txt:6)"),
    "include-markdown": (
        "include-markdown",
        "# Page\n\n{% include-markdown '../parts/part.txt' %}\n",
        "3 (parts/part.txt:6)",
    ),
    "a part of an included file": (
        "include-markdown",
        "# Page\n\n{%\n  include-markdown \"../parts/part.txt\"\n  start='More'\n%}\n",
        "3 (parts/part.txt:6)",
    ),
    "include of macros": (
        "macros: {include_dir: .}",
        '# Page\n\n{% include "parts/part.txt" %}\n',
        "3 (parts/part.txt:6)",
    ),
}


@pytest.mark.parametrize("name", INCLUDES)
def test_an_exception_in_an_included_file_names_both_lines(name: str, tmp_path: Path) -> None:
    plugin, page, place = INCLUDES[name]
    part = "Words.\n\nMore words.\n\n" + fence("1 / 0", 'source="above"') + "\n"
    files = {
        "mkdocs.yml": site_config(*([plugin] if plugin else [])),
        "docs/index.md": page,
        "parts/part.txt": part,
        "parts/outer.txt": 'Outer.\n\n--8<-- "parts/part.txt"\n',
        "parts/sections.txt": "First.\n\n<!-- --8<-- [start:one] -->\n\nText.\n\n"
        + fence("1 / 0", 'source="above"')
        + "\n<!-- --8<-- [end:one] -->\n",
    }
    log = failed(tmp_path, files)
    line, _, origin = place.partition(" ")
    assert re.search(rf"docs/index\.md:{line} {re.escape(origin)}: ZeroDivisionError", log), log[-1500:]


def test_the_text_of_an_included_page_is_in_its_notebook(tmp_path: Path) -> None:
    files = {
        "mkdocs.yml": site_config(codeout="downloads: [ipynb, py]"),
        "README.md": README,
        "docs/index.md": '--8<-- "README.md"\n',
    }
    built(tmp_path, files, "--strict")
    cells = json.loads((tmp_path / "site/index.ipynb").read_text(encoding="utf8"))["cells"]
    shown = ["".join(cell["source"]) for cell in cells]
    assert shown[:-1] == ["# Project\n\nWhat it does.", "print(1)", "And then:", "print(2)", "The end."]
    assert ", ," not in shown[-1]
    script = (tmp_path / "site/index.py").read_text(encoding="utf8")
    assert [script.index(part) for part in ("Project", "And then:", "The end.")] == sorted(
        script.index(part) for part in ("Project", "And then:", "The end.")
    )


# --------------------------------------------------------------------------------------------------- docstrings

MKDOCSTRINGS = "mkdocstrings: {handlers: {python: {paths: [src]}}}"
MODULE = f'''"""A module."""


def first():
    """First.

{indent(fence("y = x + 1" + chr(10) + "print('first', y)"))}
    """


def second():
    """Second.

    Examples:
        Text.

{indent(fence("print('second', y)"), " " * 8)}
    """
'''


def test_a_session_spans_docstrings_and_their_page(tmp_path: Path) -> None:
    objects = "::: package.module.first\n\n::: package.module.second"
    page = f"# API\n\n{fence('x = 1')}\n\n{objects}\n\n{fence('print(x, y)')}\n\nNow {{y}}.\n"
    files = {
        "mkdocs.yml": site_config(MKDOCSTRINGS, codeout="downloads: [ipynb]"),
        "docs/index.md": page,
        "src/package/__init__.py": "",
        "src/package/module.py": MODULE,
    }
    built(tmp_path, files, "--strict")
    shown = article_text(tmp_path)
    assert "first 2" in shown and "second 2" in shown and "1 2" in shown
    assert "Now 2 ." in shown
    assert "0 of 4 blocks are stale" in codeout(tmp_path, "status")
    assert "removed 0 runs" in codeout(tmp_path, "clean")
    cells = json.loads((tmp_path / "site/index.ipynb").read_text(encoding="utf8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert code == ["x = 1", "y = x + 1\nprint('first', y)", "print('second', y)", "print(x, y)"]
    log = failed(tmp_path, {"src/package/module.py": MODULE.replace("print('second', y)", "1 / 0")})
    assert "docs/index.md:9 (src/package/module.py:21): ZeroDivisionError" in log


BETWEEN = {
    "a docstring": "::: package.first",
    "a docstring with a block of the session": "::: package.second",
    "two docstrings": "::: package.first\n\n::: package.second",
    "text that a block prints": fence("print('Printed')", 'session="other"'),
    "a fence in a comment": f"<!--\n{fence('x = 2')}\n-->",
}


@pytest.mark.parametrize("name", BETWEEN)
def test_a_value_is_that_of_the_block_above_it(name: str, tmp_path: Path) -> None:
    inside = {"first": fence("z = 1", 'session="own" source="above"'), "second": fence("y = x")}
    functions = [f'def {name}():\n    """Do.\n\n{indent(text)}\n    """\n' for name, text in inside.items()]
    page = f"# T\n\n{fence('x = 1')}\n\n{BETWEEN[name]}\n\nFirst {{x}} here.\n\n{fence('x = 3')}\n\nThen {{x}}.\n"
    files = {
        "mkdocs.yml": site_config(MKDOCSTRINGS),
        "docs/index.md": page,
        "src/package/__init__.py": '"""A package."""\n\n\n' + "\n\n".join(functions),
    }
    built(tmp_path, files, "--strict")
    shown = article_text(tmp_path)
    assert "First 1 here." in shown and "Then 3 ." in shown


def test_a_docstring_that_is_shown_twice_has_ids_of_its_own(tmp_path: Path) -> None:
    module = f'"""Module."""\n\n\ndef first():\n    """First.\n\n{indent(fence("print(6 * 7)", TABS))}\n    """\n'
    page = "# API\n\n::: package.first\n\n::: package.first\n    options: {show_root_heading: false}\n"
    files = {"mkdocs.yml": site_config(MKDOCSTRINGS), "docs/index.md": page, "src/package/__init__.py": module}
    built(tmp_path, files)
    soup = BeautifulSoup((tmp_path / "site/index.html").read_text(encoding="utf8"), "html.parser")
    blocks = soup.select(".codeout-block")
    assert len(blocks) == 2
    ids = [tag["id"] for block in blocks for tag in [block, *block.select("[id]")]]
    assert len(ids) == len({*ids})
    names = [{tag["name"] for tag in block.select("input")} for block in blocks]
    assert all(len(each) == 1 for each in names) and names[0] != names[1], "a radio group each"
    assert all("42" in block.get_text() for block in blocks)


# --------------------------------------------------------------------------------------------------- excerpts


def blog_files(**options: str) -> dict[str, str]:
    """Return a site with a blog of two posts."""
    posts = {
        name: f"---\ndate: 2026-01-0{day}\n---\n# Post {name}\n\nWords.\n\n{fence(f'print({name!r})', TABS)}\n\n"
        f"Then {{n}}.\n\n<!-- more -->\n\n{fence('print(1)', TABS)}\n"
        for day, name in ((4, "one"), (5, "two"))
    }
    return {
        "mkdocs.yml": site_config("blog", **options),
        "docs/index.md": "# Home\n",
        "docs/blog/index.md": "# Blog\n",
        **{
            f"docs/blog/posts/{name}.md": text.replace(f"print({name!r})", f"n = 7\nprint({name!r})")
            for name, text in posts.items()
        },
    }


def test_two_excerpts_on_an_index_have_ids_and_tabs_of_their_own(tmp_path: Path) -> None:
    built(tmp_path, blog_files(), "--strict")
    soup = BeautifulSoup(page_html(tmp_path, "blog"), "html.parser")
    blocks = soup.select(".codeout-block")
    assert len(blocks) == 2
    ids = [tag["id"] for tag in soup.select("[id]")]
    assert len(ids) == len({*ids})
    assert len({tag["name"] for tag in soup.select(".codeout-block input")}) == 2
    for block in blocks:
        assert len(block.select("input[checked]")) == 1
        for label in block.select("label[for]"):
            assert block.select_one(f"[id='{label['for']}']") is not None
    text = soup.get_text()
    assert "print('one')" in text and "print('two')" in text and text.count("Then 7.") == 2
    assert not soup.select(".codeout-sentence"), "it belongs to a post's own page"
    assert "running" not in built(tmp_path, {})


def test_excerpts_do_not_change_the_pages_of_their_posts(tmp_path: Path) -> None:
    built(tmp_path, blog_files(codeout="downloads: [ipynb]"))
    post = next((tmp_path / "site/blog").rglob("**/post-one/index.html"))
    soup = BeautifulSoup(post.read_text(encoding="utf8"), "html.parser")
    assert [block["id"] for block in soup.select(".codeout-block")] == ["out-1", "out-2"]
    assert [link["href"] for link in soup.select(".codeout-sentence a[download]")] == ["one.ipynb"]


def test_links_to_blocks_pass_a_strict_build(tmp_path: Path) -> None:
    page = f"# Page\n\n[here](#out-1), [there](other.md#out-1)\n\n{fence('print(1)')}\n"
    files = {
        "mkdocs.yml": site_config(rest="validation: {anchors: warn}\n"),
        "docs/index.md": page,
        "docs/other.md": f"# Other\n\n{fence('print(2)')}\n\n[back](index.md#out-1)\n",
    }
    built(tmp_path, files, "--strict")
    log = failed(tmp_path, {"docs/index.md": page.replace("#out-1), [", "#out-9), [")}, "--strict")
    assert "#out-9" in log


def test_headings_have_their_values_in_titles_and_contents(tmp_path: Path) -> None:
    page = f"# Reaches {{acc:.0%}}\n\n{fence('acc = 0.914')}\n\n## Of {{acc:.1%}} then\n\nWords.\n"
    files = {"mkdocs.yml": site_config("search"), "docs/index.md": "# Home\n", "docs/first.md": page}
    built(tmp_path, files, "--strict")
    html = page_html(tmp_path)
    soup = BeautifulSoup(html, "html.parser")
    assert "Reaches 91%" in soup.select("title")[0].get_text()
    assert any("Of 91.4% then" in link.get_text(" ", strip=True) for link in soup.select(".md-nav--secondary a"))
    assert soup.select("#of-then"), "an id without the value"
    home = BeautifulSoup((tmp_path / "site/index.html").read_text(encoding="utf8"), "html.parser")
    assert any("Reaches 91%" in link.get_text(" ", strip=True) for link in home.select(".md-nav--primary a"))
    assert not re.search("[\ufdd0-\ufde1]", html + str(home) + (tmp_path / "site/search/search_index.json").read_text())


HOSTILE = "</title><img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    "heading", ["# Of {v}", "## Of {v}", "## Of {v} { data-toc-label='Of {v}' }", "### `x` and {v}"]
)
def test_a_value_in_a_heading_is_text_wherever_the_heading_is_shown(heading: str, tmp_path: Path) -> None:
    top = "" if heading.startswith("# ") else "# Title\n\n"
    code = f"v = {HOSTILE!r}"
    page = f"{top}{heading}\n\n{fence(code)}\n\n[TOC]\n"
    files = {"mkdocs.yml": site_config("search"), "docs/index.md": "# Home\n", "docs/first.md": page}
    built(tmp_path, files)
    for html in (page_html(tmp_path), (tmp_path / "site/index.html").read_text(encoding="utf8")):
        assert not BeautifulSoup(html, "html.parser").select("img[onerror]")
    shown = BeautifulSoup(page_html(tmp_path), "html.parser").select("article h1, article h2, article h3")
    assert any(HOSTILE in each.get_text() for each in shown)


@pytest.mark.parametrize("front_matter", ["---\ntitle: A title\n---\n", "---\ntitle: A title\ntags: [x]\n---\n\n"])
def test_a_page_whose_title_is_not_a_heading_has_sentence_and_links(front_matter: str, tmp_path: Path) -> None:
    page = f"{front_matter}Words.\n\n{fence('print(7)')}\n"
    files = {"mkdocs.yml": site_config("tags", codeout="downloads: [ipynb, py]"), "docs/index.md": page}
    built(tmp_path, files, "--strict")
    soup = BeautifulSoup((tmp_path / "site/index.html").read_text(encoding="utf8"), "html.parser")
    sentence = soup.select_one("article .codeout-sentence")
    assert sentence is not None
    assert [link["href"] for link in sentence.select("a[download]")] == ["index.ipynb", "index.py"]
    assert (tmp_path / "site/index.ipynb").is_file() and (tmp_path / "site/index.py").is_file()
    assert str(soup.select("article")[0]).index("codeout-sentence") < str(soup.select("article")[0]).index("Words.")


def test_the_sentence_is_under_the_title_of_the_page_and_not_in_an_output(tmp_path: Path) -> None:
    code = "print('<h1>Made</h1><p>by a block</p>')"
    page = f"---\ntitle: A title\n---\nWords.\n\n{fence(code, 'html=' + chr(34) + 'on' + chr(34))}\n"
    built(tmp_path, {"mkdocs.yml": site_config(), "docs/index.md": page}, "--strict")
    html = (tmp_path / "site/index.html").read_text(encoding="utf8")
    assert html.index("codeout-sentence") < html.index("Words.") < html.index("<h1>Made</h1>")
