"""Notebooks and scripts of other tools become pages that run; a site gets the settings that it lacks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from markdown import markdown

from codeout.cli.main import main
from codeout.cli.starting_commands import add_settings
from codeout.importers.gallery import to_markdown
from codeout.importers.text import indent_lists
from notebooks import attached, code, notebook, text
from small_sites import build, page_html

GALLERY = '''# License: none
r"""
===========
Plot digits
===========

An example of :func:`numpy.sum`, ``x`` and `a link <https://example.org>`_.
"""

import math

# %%
# A part
# ------
#
# Text with :math:`x^2`.
#
# .. note:: Take care.

x = 3
print(x)

##############################################################################
# The end.
# And more:
print(x * 2)
# a comment of the code
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, in which commands run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_stock_site_and_a_notebook_need_two_commands(folder: Path) -> None:
    (folder / "mkdocs.yml").write_text("site_name: Mine\ntheme: material\nplugins:\n  - search # kept\n")
    notebook(
        folder / "My intro.ipynb",
        text(
            "# Intro\n\nThe set {x} and $a_{x}$ and ![p](attachment:p.png)",
            attachments=attached("p.png"),
        ),
        code("%matplotlib inline\n!pip install numpy\nx = 6"),
        code("print(x * 7)"),
        code("1 / 0", ename="ZeroDivisionError"),
        code("print('unseen')", tags=("remove-cell",)),
        code("print('alone')", tags=("hide-input",)),
        code(""),
    )
    assert main(["init"]) == 0
    assert main(["import", "My intro.ipynb"]) == 0
    result = build(folder, "--strict")
    assert result.returncode == 0, result.stderr
    html = page_html(folder, "My_intro")
    assert "The set {x} and" in html
    assert all(part in html for part in (">42<", "ZeroDivisionError", "alone"))
    assert "unseen" not in html
    assert "pip install" not in html
    assert (folder / "docs" / "My_intro_files" / "picture-1.png").stat().st_size > 50


def test_what_an_author_must_look_at_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook(
        folder / "a.ipynb",
        text("# A\n![x](gone.png)"),
        code("%pip install z\nx = 1"),
        code("%timeit x"),
        code("y = !ls"),
    )
    assert main(["import", "a.ipynb"]) == 0
    printed = capsys.readouterr().out
    assert "a.ipynb → docs/a.md (3 blocks)" in printed
    assert "cell 2: left out `%pip install z`" in printed
    assert "`%timeit x` in cell 3 needs the setting `magics: true`" in printed
    assert "the picture gone.png is not beside a.ipynb" in printed
    assert "  - a.md\n" in printed


def test_settings_that_a_site_has_are_not_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook(folder / "a.ipynb", text("# A\n\\begin{align}\na &= {b}\n\\end{align}"), code("%timeit 1"))
    assert main(["import", "a.ipynb"]) == 0
    printed = capsys.readouterr().out
    assert "formulas need the extension `pymdownx.arithmatex: {generic: true}`" in printed
    assert "needs the setting `magics: true`" in printed
    assert "\\begin{align}\na &= {b}\n\\end{align}" in (folder / "docs" / "a.md").read_text()
    (folder / "mkdocs.yml").write_text("markdown_extensions: [pymdownx.arithmatex, codeout: {magics: true}]\n")
    assert main(["import", "a.ipynb"]) == 0
    printed = capsys.readouterr().out
    assert not {"arithmatex", "magics"} & {*printed.replace("`", " ").replace(":", " ").split()}


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("Text\n- a\n  - b\n- c", "<p>Text</p><ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
        ("1. a\n   - b\n2. c", "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>"),
        ("- a\n\n  more\n\nText", "<ul><li><p>a</p><p>more</p></li></ul><p>Text</p>"),
        ("|a|\n|-|\n|b|\n- c", "<ul><li>c</li></ul>"),
        ("- a\nlazy", "<ul><li>alazy</li></ul>"),
        ("* a\n    * b", "<ul><li>a<ul><li>b</li></ul></li></ul>"),
        ("# H\n- a", "<h1>H</h1><ul><li>a</li></ul>"),
        ("- a\n\t- b", "<ul><li>a<ul><li>b</li></ul></li></ul>"),
    ],
)
def test_lists_stay_what_they_are(source: str, html: str) -> None:
    assert re.sub(r"\s*\n\s*", "", markdown(indent_lists(source))).endswith(html)


@pytest.mark.parametrize("text", ["    code\n    - x", "```\n- a\n  - b\n```", "a - b\n-c", "x\n\n---\n\ny"])
def test_what_is_no_list_stays_as_it_is(text: str) -> None:
    assert indent_lists(text) == text


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook(folder / "a.ipynb", code("1"))
    (folder / "docs").mkdir()
    (folder / "docs" / "a.md").write_text("mine")
    assert main(["import", "a.ipynb"]) == 1
    assert capsys.readouterr().err == "docs/a.md:1: is there already; move it, or use --force\n"
    assert (folder / "docs" / "a.md").read_text() == "mine"
    assert not (folder / "snippets").exists()
    assert main(["import", "--force", "a.ipynb"]) == 0
    assert main(["import", "a.ipynb"]) == 0, "the same again"


def test_folders_keep_their_shape_and_modules_are_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook(folder / "nb" / "sub" / "one.ipynb", code("1"))
    notebook(folder / "nb" / ".ipynb_checkpoints" / "one.ipynb", code("1"))
    (folder / "nb" / "percent.py").write_text("# %% [markdown]\n# # Title\n\n# %%\nprint(1)\n")
    (folder / "nb" / "helper.py").write_text("def f(): ...\n")
    assert main(["import", "nb"]) == 0
    assert "  - percent.md\n  - sub/one.md\n" in capsys.readouterr().out
    assert {path.name for path in (folder / "docs").rglob("*.md")} == {"percent.md", "one.md"}
    assert (folder / "docs" / "percent.md").read_text().startswith('# Title\n\n```python exec="on" session="percent"')
    assert "print(1)" in (folder / "snippets" / "percent.py").read_text()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.ipynb", "{", "a.ipynb:1: not a notebook"),
        ("a.ipynb", "[]", "a.ipynb:1: not a notebook"),
        ("a.txt", "", "a.txt:1: not a notebook (.ipynb) or a script (.py)"),
        ("a.py", "\udcff", "a.py:1: cannot read it"),
    ],
)
def test_what_is_no_notebook_is_one_sentence(
    name: str, content: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / name).write_bytes(content.encode("utf8", "surrogateescape"))
    assert main(["import", name]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(message)
    assert printed.count("\n") == 1


def test_a_gallery_script_is_text_and_code(folder: Path) -> None:
    (folder / "plot.py").write_text(GALLERY)
    assert main(["import", "plot.py"]) == 0
    page, snippet = (folder / "docs" / "plot.md").read_text(), (folder / "snippets" / "plot.py").read_text()
    for part in (
        "# Plot digits\n\nAn example of `numpy.sum`, `x` and [a link](https://example.org).",
        "## A part\n\nText with $x^2$.\n\n!!! note\n\n    Take care.",
        "The end.\nAnd more:",
    ):
        assert part in page
    assert (
        page.index("cell_1")
        < page.index("## A part")
        < page.index("cell_2")
        < page.index("The end")
        < page.index("cell_3")
    )
    assert (
        subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True, check=True).stdout == "3\n6\n"
    )
    assert "# a comment of the code" in snippet


@pytest.mark.parametrize(
    ("rst", "markdown"),
    [
        ("A title\n=======\n\nPart\n----\n\nText.", "# A title\n\n## Part\n\nText."),
        ("See :class:`~torch.nn.Linear` and :ref:`this <that>`.", "See `Linear` and `this`."),
        ("Code::\n\n    x = 1\n\nMore.", "Code:\n\n```python\nx = 1\n```\n\nMore."),
        (".. math::\n\n   x^2\n\nText", "$$\nx^2\n$$\n\nText"),
        (".. code-block:: bash\n\n   ls\n", "```bash\nls\n```"),
        (".. image:: a.png\n   :alt: A picture\n", "![A picture](a.png)"),
        ("A `link`_.\n\n.. _link: https://example.org", "A [link](https://example.org)."),
        ("Text.\n\n.. a comment\n   of two lines\n\nMore.", "Text.\n\nMore."),
        (".. unknown:: x\n   :y: 1\n\n   body", "```rst\n.. unknown:: x\n   :y: 1\n\n   body\n```"),
        ("* one\n* two\n\n1. three", "* one\n* two\n\n1. three"),
    ],
)
def test_restructured_text_becomes_markdown(rst: str, markdown: str) -> None:
    assert to_markdown(rst) == markdown


@pytest.mark.parametrize(
    "config",
    [
        "site_name: X\n",
        "site_name: X\nmarkdown_extensions:\n- toc:\n    permalink: true\n# a comment\nplugins:\n- search\n",
        "plugins:\n    - search: {lang: en}\n    - markdown-exec\nmarkdown_extensions:\n    - pymdownx.superfences\n",
    ],
)
def test_settings_are_added_and_the_rest_stays(config: str) -> None:
    result, added = add_settings(config)
    loaded = yaml.safe_load(result)
    names = [next(iter(each)) if isinstance(each, dict) else each for each in loaded["markdown_extensions"]]
    assert {"pymdownx.superfences", "pymdownx.snippets", "pymdownx.tabbed", "codeout"} <= {*names}
    assert len(names) == len({*names})
    plugins = [next(iter(each)) if isinstance(each, dict) else each for each in loaded["plugins"]]
    assert sorted(plugins) == ["codeout", "markdown-exec", "search"]
    assert all(line in result.split("\n") for line in config.split("\n"))
    assert added
    assert add_settings(result) == (result, [])


def test_a_site_without_pages_gets_a_first_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mkdocs.yml").write_text("site_name: X\ndocs_dir: pages  # mine\n")
    assert main(["init"]) == 0
    assert f"{Path('pages', 'index.md')}: a first page" in capsys.readouterr().out
    result = build(folder, "--strict")
    assert result.returncode == 0, result.stderr
    assert "<code>30</code>" in (folder / "site" / "index.html").read_text()
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    status = ["git", "status", "--porcelain", "--untracked-files=all"]
    assert ".codeout" not in subprocess.run(status, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout


def test_a_list_that_is_written_otherwise_is_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mkdocs.yml").write_text("site_name: X\nplugins: [search]\n")
    assert main(["init"]) == 1
    assert (
        "mkdocs.yml:2: `plugins` is not a list with one item a line; write it so, and add to it\n"
        "  - codeout\n  - markdown-exec\n"
    ) in capsys.readouterr().err
    assert (folder / "mkdocs.yml").read_text() == "site_name: X\nplugins: [search]\n"
