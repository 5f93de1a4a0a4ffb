"""Downloads: made of the text that was converted, beside the author's files, with links that work."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup

from small_sites import build, codeout, fence, indent, site_config, write_site

DOWNLOADS = "downloads: [ipynb, py]"
GUIDE = f"# Guide\n\n{fence('print(7)')}\n"


def built(folder: Path, files: dict[str, str], *arguments: str) -> str:
    """Build a site, which must succeed; return its log."""
    done = build(write_site(folder, files), *arguments)
    assert done.returncode == 0, done.stderr
    return done.stderr


def cells_of(path: Path) -> list[str]:
    """Return the text of the cells of a notebook."""
    return ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf8"))["cells"]]


@pytest.mark.parametrize("urls", ["use_directory_urls: false\n", ""])
@pytest.mark.parametrize("ending", ["py", "ipynb"])
def test_a_download_never_overwrites_a_file_of_the_authors(ending: str, urls: str, tmp_path: Path) -> None:
    at = "guide/guide" if not urls else "guide"
    files = {
        "mkdocs.yml": site_config(codeout=DOWNLOADS, rest=urls),
        "docs/index.md": "# Home\n",
        "docs/guide.md": GUIDE,
        f"docs/{at}.{ending}": "the author's",
    }
    done = build(write_site(tmp_path, files))
    assert done.returncode != 0
    assert re.search(
        rf"docs/guide\.md:1: the download 'guide\.{ending}' would overwrite your file '{at}\.{ending}'", done.stderr
    )
    assert "site-packages" not in done.stderr


def test_a_file_of_the_authors_elsewhere_is_left_alone(tmp_path: Path) -> None:
    files = {
        "mkdocs.yml": site_config(codeout=DOWNLOADS),
        "docs/index.md": "# Home\n\n[the script](guide.py)\n",
        "docs/guide.md": GUIDE,
        "docs/guide.py": "the author's",
    }
    built(tmp_path, files, "--strict")
    assert (tmp_path / "site/guide.py").read_text() == "the author's"
    assert "print(7)" in (tmp_path / "site/guide/guide.py").read_text()


@pytest.mark.parametrize("name", ["C# notes", "what?", "50 %", "a & b", "ünïcode", "it's", "a+b"])
@pytest.mark.parametrize("urls", ["use_directory_urls: false\n", ""])
def test_links_to_downloads_lead_to_them(name: str, urls: str, tmp_path: Path) -> None:
    opened = "open_in: {Elsewhere: 'https://example.com/{page}.ipynb'}"
    config = site_config(codeout=f"{DOWNLOADS}, {opened}", rest=urls)
    built(tmp_path, {"mkdocs.yml": config, "docs/index.md": "# Home\n", f"docs/{name}.md": GUIDE})
    page = next(
        path for path in (tmp_path / "site").rglob("*.html") if "codeout-block" in path.read_text(encoding="utf8")
    )
    links = BeautifulSoup(page.read_text(encoding="utf8"), "html.parser").select(".codeout-sentence a")
    for link, ending in zip(links[:2], ("ipynb", "py"), strict=True):
        assert not re.search(r"[#? &]", str(link["href"]))
        assert (page.parent / unquote(str(link["href"]))).is_file()
        assert unquote(str(link["href"])) == f"{name}.{ending}"
    assert not re.search(r"[#? ]", str(links[2]["href"]))


@pytest.mark.parametrize("packages", ["", ", packages: [markdown, markdown-exec]"])
def test_the_last_cell_says_where_the_outputs_come_from(packages: str, tmp_path: Path) -> None:
    built(tmp_path, {"mkdocs.yml": site_config(codeout=DOWNLOADS + packages), "docs/index.md": GUIDE})
    last = cells_of(tmp_path / "site/index.ipynb")[-1]
    assert not re.search(r",\s*,|\s,|, on on", last)
    assert bool(packages) == ("markdown-exec 1." in last)


NO_SOURCE = 'session="a"'
PRINTS = 'print(\'~~~python exec="on" source="above"\\nprint(5)\\n~~~\')'
PAGES = {
    "text before and after": (f"# T\n\nOne.\n\n{fence('x = 1')}\n\nTwo.\n", ["# T\n\nOne.", "x = 1", "Two."]),
    "a hidden line": (
        f"# T\n\n{fence('y = 2  # markdown-exec: hide' + chr(10) + 'print(y)')}\n",
        ["# T", "y = 2\nprint(y)"],
    ),
    "a block in a list": (
        f"# T\n\n- item\n\n{indent(fence('x = 1'))}\n\nEnd.\n",
        ["# T\n\n- item", "x = 1", "End."],
    ),
    "a block without a source": (f"# T\n\n{fence('x = 1', NO_SOURCE)}\n\nEnd.\n", ["# T", "x = 1", "End."]),
    "a value": (f"# T\n\n{fence('x = 1')}\n\nIt is {{x}}.\n", ["# T", "x = 1", "It is 1."]),
    "a commented block": (
        f"# T\n\n<!--\n{fence('x = 9')}\n-->\n\n{fence('x = 1')}\n\nEnd.\n",
        ["# T", "x = 1", "End."],
    ),
    "two blocks in a row": (f"# T\n\n{fence('x = 1')}\n\n{fence('x')}\n", ["# T", "x = 1", "x"]),
    "other fences": (
        f"# T\n\n```python\nz = 0\n```\n\n{fence('x = 1')}\n\n```text\nend\n```\n",
        ["# T\n\n```python\nz = 0\n```", "x = 1", "```text\nend\n```"],
    ),
    "a printed block": (
        f"# T\n\n{fence(PRINTS, NO_SOURCE)}\n\nA.\n\n{fence('x = 1')}\n",
        ["# T", PRINTS, "A.", "print(5)", "x = 1"],
    ),
    "the same code twice": (
        f"# T\n\n{fence('x = 1')}\n\nA.\n\n{fence('x = 1')}\n\nB.\n",
        ["# T", "x = 1", "A.", "x = 1", "B."],
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_notebook_has_the_text_and_the_code_of_its_page(name: str, tmp_path: Path) -> None:
    page, expected = PAGES[name]
    built(tmp_path, {"mkdocs.yml": site_config(codeout=DOWNLOADS), "docs/index.md": page})
    cells = cells_of(tmp_path / "site/index.ipynb")[:-1]
    assert [re.sub(r"(?s)\s*<!--.*?-->", "", cell) for cell in cells] == expected
    (tmp_path / "out").mkdir()
    codeout(tmp_path, "export", "-o", "out")
    assert cells_of(tmp_path / "out/index.ipynb")[:-1] == cells, "the command writes what the build writes"


def test_a_page_with_a_hidden_section_of_a_snippet_exports_what_ran(tmp_path: Path) -> None:
    snippet = "# --8<-- [start:one]\nx = 1\n# --8<-- [end:one]\n"
    page = '# T\n\n```python exec="on" session="a" source="above"\n--8<-- "part.py:one"\n```\n\nNow {x}.\n'
    files = {"mkdocs.yml": site_config(codeout=DOWNLOADS), "docs/index.md": page, "part.py": snippet}
    built(tmp_path, files, "--strict")
    assert cells_of(tmp_path / "site/index.ipynb")[:-1] == ["# T", "x = 1", "Now 1."]
    script = (tmp_path / "site/index.py").read_text(encoding="utf8")
    assert "x = 1" in script and "8<" not in script
