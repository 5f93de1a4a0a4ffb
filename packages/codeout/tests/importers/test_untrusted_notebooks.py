"""A notebook from elsewhere: its code runs, and nothing else of it acts, is published, or is written elsewhere."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from bs4 import BeautifulSoup
from jinja2 import Template
from markdown import Markdown
from markdown_exec import formatters, validator

from codeout.cli.main import main
from helpers import posix
from notebooks import PNG, attached, code, notebook, text
from small_sites import build, page_html, site_config

SECRET = "SECRET-OF-THE-SITE"
JPEG, GIF, WEBP = b"\xff\xd8\xff\xe0JFIF", b"GIF89a,", b"RIFF\x10\x00\x00\x00WEBPVP8 "
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, in which commands run, in one with files that are nobody's business."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.png").write_bytes(PNG + SECRET.encode())
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path / "site")
    return tmp_path / "site"


def files_below(folder: Path) -> set[str]:
    """Return the paths of all files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def imported(folder: Path, *cells: dict[str, Any]) -> str:
    """Import a notebook, and return the page that it becomes."""
    notebook(folder / "n.ipynb", *cells)
    assert main(["import", "n.ipynb"]) == 0
    return (folder / "docs" / "n.md").read_text(encoding="utf8")


# ------------------------------------------------------------------------------------------ A1: names of attachments


@pytest.mark.parametrize(
    "name",
    [
        *("../../evil.py", "../hooks.py", "../../../outside/evil.pth", "..\\..\\evil.py", "sub/../../../evil.png"),
        *("evil.html", "evil.md", "extra.js", ".htaccess", "index.md", "a\0b.png", "\n.png", "", ".", "..", "x" * 5000),
        *("CON.png", "C:evil.png", "-rf.png", "\x1b[2Jevil.png", "ö ü.png", "%2e%2e/evil.png", "picture-2.png"),
    ],
)
def test_attachments_get_names_of_ours(name: str, folder: Path) -> None:
    (folder.parent / "outside" / "hook.py").write_text("mine")
    before = files_below(folder.parent)
    page = imported(folder, text(f"![p](attachment:{quote(name, safe='')})", attachments=attached(name)))
    new = files_below(folder.parent) - before
    assert new == {f"site/{each}" for each in ("n.ipynb", "docs/n.md", "docs/n_files/picture-1.png", "snippets/n.py")}
    assert "![p](n_files/picture-1.png)" in page


def test_an_absolute_name_of_an_attachment_is_no_path(folder: Path) -> None:
    name = str(folder.parent / "outside" / "evil.py")
    imported(folder, text(f"![p](attachment:{quote(name, safe='')})", attachments=attached(name)))
    assert files_below(folder.parent / "outside") == {"secret.png"}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        *((PNG, "picture-1.png"), (JPEG, "picture-1.jpg"), (GIF, "picture-1.gif"), (WEBP, "picture-1.webp")),
        *((SVG, ""), (b"<html><script>", ""), (b"import os\n", ""), (b"%PDF-1.7", ""), (b"", ""), (b"\x7fELF", "")),
        *((b" " + PNG, ""), (b"RIFF\x10\x00\x00\x00WAVE", "")),
    ],
)
def test_the_content_of_an_attachment_decides_what_it_is(
    content: bytes, name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = imported(folder, text("![p](attachment:p.png)", attachments=attached("p.png", content)))
    assert files_below(folder / "docs") == {"n.md", *([f"n_files/{name}"] if name else [])}
    is_noted = "cell 1: left out attachment:p.png, which is no PNG" in capsys.readouterr().out
    assert is_noted == (not name)
    assert ("\n![p]" in page) == bool(name)


# --------------------------------------------------------------------------------------- A2: what outputs and tags say


@pytest.mark.parametrize(
    ("name", "raises"),
    [
        *(("ValueError", "ValueError"), ("torch.cuda.OutOfMemoryError", "torch.cuda.OutOfMemoryError")),
        *(('X" workdir="/', "Exception"), ("X' workdir='/", "Exception"), ("X show", "Exception")),
        *(('X"\n```\n\n```python exec="on"\nprint(1)', "Exception"), ("X}", "Exception"), ("..", "Exception")),
        *(("E" * 5000, "Exception"), ("X\N{LINE SEPARATOR}y", "Exception"), ("{{ X }}", "Exception")),
    ],
)
def test_a_saved_error_names_an_exception_and_no_option(name: str, raises: str, folder: Path) -> None:
    page = imported(folder, code("1 / 0", ename=name))
    assert page == (
        f'# N\n\n```python exec="on" session="n" source="above" raises="{raises}"\n--8<-- "n.py:cell_1"\n```\n'
    )


def test_a_tag_is_no_option(folder: Path) -> None:
    tags = ('hide-input" workdir="/', "workdir=/", 'x"\n```\n', "show", "remove-cell\n")
    page = imported(folder, code("1", tags=tags))
    assert '\n```python exec="on" session="n" source="above"\n--8<--' in page


# ------------------------------------------------------------------------------------- A3: pictures beside a notebook


def link_file(folder: Path) -> None:
    (folder / "x.png").symlink_to(folder.parent / "outside" / "secret.png")


def link_inside(folder: Path) -> None:
    (folder / "own.png").write_bytes(PNG)
    (folder / "x.png").symlink_to("own.png")


def link_folder(folder: Path) -> None:
    (folder / "img").symlink_to(folder.parent / "outside")


def link_loop(folder: Path) -> None:
    (folder / "x.png").symlink_to("x.png")


def make_pipe(folder: Path) -> None:
    os.mkfifo(folder / "x.png")


def make_folder(folder: Path) -> None:
    (folder / "x.png").mkdir()


def make_text(folder: Path) -> None:
    (folder / "x.png").write_text(f"password: {SECRET}")


def make_drawing(folder: Path) -> None:
    (folder / "x.svg").write_bytes(SVG)


def nothing(folder: Path) -> None:
    """Leave the folder as it is."""


@posix
@pytest.mark.parametrize(
    ("prepare", "link"),
    [
        *((link_file, "x.png"), (link_inside, "x.png"), (link_folder, "img/secret.png"), (link_loop, "x.png")),
        *((make_pipe, "x.png"), (make_folder, "x.png"), (make_text, "x.png"), (make_drawing, "x.svg")),
        *((nothing, "../outside/secret.png"), (nothing, "%2e%2e/outside/secret.png"), (nothing, "OUTSIDE/secret.png")),
        *((nothing, "a/../../outside/secret.png"), (nothing, "&#46;&#46;/outside/secret.png"), (nothing, "a%00.png")),
        *((nothing, "file:OUTSIDE/secret.png"), (nothing, "..%5coutside%5csecret.png"), (nothing, "x" * 300 + ".png")),
        *((nothing, "%252e%252e/outside/secret.png"), (nothing, "~/secret.png"), (nothing, "mkdocs.yml#.png")),
    ],
)
@pytest.mark.parametrize("form", ["![p]({})", '<img alt="p" src="{}">', "![p](<{}>)", "[![p]({})](https://e.org)"])
def test_a_picture_is_a_file_of_its_own_below_the_notebook(
    prepare: Callable[[Path], None], link: str, form: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(folder)
    (folder / "mkdocs.yml").write_text("site_name: X\n")
    page = imported(folder, text(form.format(link.replace("OUTSIDE", str(folder.parent / "outside")))))
    assert files_below(folder / "docs") == {"n.md"}
    shown = BeautifulSoup(Markdown().convert(page), "html.parser").select("img[src]")
    assert not shown
    assert re.search(
        r"cell 1: (the picture .* is not beside n.ipynb|left out \S+, which is no PNG)", capsys.readouterr().out
    )


def test_pictures_beside_a_notebook_are_copied_under_names_of_ours(folder: Path) -> None:
    for name in ("a b.png", "sub/evil.html", "index.md"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(PNG + name.encode())
    page = imported(
        folder,
        text('![1](a%20b.png "Title")\n<img src="sub/evil.html?x#y" width=9>\n![3](<index.md>)\n![4](a%20b.png)'),
    )
    assert files_below(folder / "docs") == {"n.md", *(f"n_files/picture-{number}.png" for number in (1, 2, 3))}
    assert '![1](n_files/picture-1.png "Title")\n<img src="n_files/picture-2.png" width="9">' in page
    assert "![3](n_files/picture-3.png)\n![4](n_files/picture-1.png)" in page


# -------------------------------------------------------------------------------------------- A4: text and code


@pytest.fixture
def convert(folder: Path) -> Callable[[str], tuple[BeautifulSoup, list[str]]]:
    """Return what converts a page with much that could act, and lists the fences that have run."""
    (folder / "mkdocs.yml").write_text(SECRET)
    ran: list[str] = []

    def run(source: str, language: str, *_: object, **__: object) -> str:
        ran.append(f"{language}: {source}")
        return ""

    names = (*formatters, "mermaid")
    fences = [{"name": name, "class": name, "validator": validator, "format": run} for name in names]
    settings: dict[str, dict[str, object]] = {
        "pymdownx.superfences": {"custom_fences": fences, "relaxed_headers": True},
        "pymdownx.snippets": {"base_path": [str(folder)]},
    }

    def convert(page: str) -> tuple[BeautifulSoup, list[str]]:
        extensions = [*("attr_list", "md_in_html", "tables", "pymdownx.blocks.html"), *settings]
        html = Markdown(extensions=extensions, extension_configs=settings).convert(page)
        return BeautifulSoup(html, "html.parser"), ran

    return convert


FENCES = [
    '```python exec="on"\nprint(1)\n```',
    '~~~~bash exec="1" session="n"\nid\n~~~~',
    '    ```python exec="on"\n    print(1)\n    ```',
    '- x\n\n  ```sh exec="on"\n  id\n  ```',
    '- ```python exec="on"\n  print(1)\n  ```',
    '1. x\n   > ```python exec="on"\n   > print(1)\n   > ```',
    '> ```console exec="on"\n> $ id\n> ```',
    '```{ .python exec="on" }\nprint(1)\n```',
    '```{.py exec="on"}\nprint(1)\n```',
    '``` pycon exec="yes"\n>>> 1\n```',
    "```tree\nroot\n```",
    "~~~ pyodide\nimport js\n~~~",
    '```md exec="on"\n# T\n```',
    '```python exec="on" title="`"\nprint(1)\n```',
    '```x```\n```python exec="on"\nprint(1)\n```',
    '~~~python exec="on"\nnever closed',
    '<!--\n```python exec="on"\nprint(1)\n```\n-->',
    '````\n```python exec="on"\nprint(1)\n```\n````',
    'x\r```python exec="on"\rprint(1)\r```',
    '\x02```python exec="on"\nprint(1)\n```',
    '$$\n```python exec="on" title="`"\nprint(1)\n``` x\n$$\n\n```\nx\n```',
    '!!! note\n\n    ```python exec="on"\n    print(1)\n    ```',
    '```exec="on" python\nprint(1)\n```',
]
INCLUDES = [
    '--8<-- "mkdocs.yml"',
    "  -8<- 'mkdocs.yml'",
    "--8<--\nmkdocs.yml\n--8<--",
    '- x\n\n    ---8<--- "mkdocs.yml"',
    '```\n--8<-- "mkdocs.yml"\n```',
    '> ~~~\n> x\n\n--8<-- "mkdocs.yml"',
    '    --8<-- "mkdocs.yml"',
    '$$\n--8<-- "mkdocs.yml"\n$$',
    '`a\n--8<-- "mkdocs.yml"\nb`',
    'x\r--8<-- "mkdocs.yml"',
    '\x0c--8<-- "mkdocs.yml"',
    '<pre>\n--8<-- "mkdocs.yml"\n</pre>',
]
TEMPLATES = [
    *("{{ 6 * 7 }}", "{% include 'mkdocs.yml' %}", "{# gone #}", "{% raw %}{{ 6 * 7 }}{% endraw %}", "`{{ 6 * 7 }}`"),
    *("```\n{{ 6 * 7 }}\n```", "    {{ 6 * 7 }}", "$x_{{6 * 7}}$", "\\{{ 6 * 7 }}", "\\{% if 1 %}", "{\x02{ 6 * 7 }}"),
    *(
        "{<!-- -->{ 6 * 7 }}",
        "[x](<{{ 6 * 7 }}>)",
        "![{{ 6 * 7 }}](x.png)",
        '<b title="{{ 6 * 7 }}">',
        "- {%- if 1 -%}",
    ),
    *("$${# x #}$$", "```{{ 6 * 7 }}", "{{{ 6 * 7 }}}"),
]
MARKUP = [
    *("<script>alert(1)</script>", "<b onclick='alert(1)'>x</b>", "<svg/onload=alert(1)>", "<iframe src='//e.org'>"),
    *("<<!-- -->script>alert(1)</script>", "`a\n<script>alert(1)</script>\nb`", "\\`<script>x</script>`", "$<script>$"),
    *(
        "[x](javascript:alert(1))",
        "[x](java&#115;cript:alert(1))",
        "[x](java\nscript:alert(1))",
        "[x][y]\n\n[y]: JavaScript:alert(1)",
    ),
    *(
        '<a href="&#106;avascript:alert(1)">x</a>',
        "[x](java<!-- -->script:alert(1))",
        '<a href=" javascript:alert(1)">x</a>',
    ),
    *(
        "**x**{onclick=alert(1)}",
        "# T {: onclick=alert(1) }",
        "a ` b **c**\n`{onclick=alert(1)}` d",
        "`x` **a**{ onclick=alert(1) }",
    ),
    *("/// html | script\nalert(1)\n///", "<details markdown onclick=x>\n\n<script>x</script>\n</details>"),
    *(
        '<span title="`"> <i title="` onclick=alert(1)">x</i>',
        "<object data=x>",
        "<style>*{display:none}</style>",
        "<p style='position:fixed'>x</p>",
    ),
]


@pytest.mark.parametrize("source", [*FENCES, *INCLUDES, *MARKUP])
def test_text_stays_text(source: str, folder: Path, convert: Callable[[str], tuple[BeautifulSoup, list[str]]]) -> None:
    html, ran = convert(imported(folder, text(f"# T\n\nBefore\n\n{source}"), text("After")))
    assert not ran
    assert SECRET not in str(html)
    assert "After" in html.get_text()
    assert not html.select("script, iframe, svg, object, style, [onclick], [onload], [style*=position]")
    addresses = [re.sub(r"[\t\n\r]", "", str(link["href"])).strip() for link in html.select("[href]")]
    assert not [address for address in addresses if address.lower().startswith("javascript:")]


@pytest.mark.parametrize("source", TEMPLATES)
def test_templates_stay_text(
    source: str, folder: Path, convert: Callable[[str], tuple[BeautifulSoup, list[str]]]
) -> None:
    page = imported(folder, text(f"# T\n\n{source}\n"))
    assert Template(page, keep_trailing_newline=True).render() == page
    assert "{!" not in page


@pytest.mark.parametrize(
    "source", ["{! mkdocs.yml !}", "`{!mkdocs.yml!}`", "```\n{! mkdocs.yml !}\n```", "\\{! mkdocs.yml !}"]
)
def test_includes_of_other_plugins_stay_text(source: str, folder: Path) -> None:
    assert "{!" not in imported(folder, text(source))


@pytest.mark.parametrize(
    "source",
    ["::: os", "- ::: os", "> ::: os", "## ::: os", "`a\n::: os\nb`", "$$\n::: os\n$$", "x\r::: os", "<!--\n-->::: os"],
)
def test_documentation_is_not_asked_for(source: str, folder: Path) -> None:
    assert ":::" not in imported(folder, text(f"# T\n\n{source}"))


@pytest.mark.parametrize(
    "source",
    [
        *(
            "---\ntitle: Evil\ntemplate: x.html\n---\n# T",
            "title: Evil\ntemplate: x.html\n\n# T",
            "\ufeff---\ntitle: Evil\n---\n",
        ),
        *(
            " \n---\ntitle: Evil\n---\n",
            "\x00---\ntitle: Evil\n---\n",
            "<!-- -->---\ntitle: Evil\n---\n",
            "# \n---\na: b\n---\n",
        ),
    ],
)
def test_front_matter_stays_text(source: str, folder: Path) -> None:
    assert imported(folder, text(source)).startswith("# ")


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("{x} and { y: 1 } and \\{z}", "<p>{x} and { y: 1 } and {z}</p>"),
        ("a < b, 1 <2, <x>, AT&T &amp; &copy;", "<p>a &lt; b, 1 &lt;2, &lt;x&gt;, AT&amp;T &amp; ©</p>"),
        ("`{{ x }}` `<b>` `{x}`", "<p><code>{{ x }}</code> <code>&lt;b&gt;</code> <code>{x}</code></p>"),
        ("``` {x} ```", "<p><code> {x} </code></p>"),
        ("--8<-- is a marker", "<p>--8&lt;-- is a marker</p>"),
        ('<font color=red>r</font> <a id="a"></a><br/>', '<p><font color="red">r</font> <a id="a"></a><br/></p>'),
        (
            "[a](https://e.org/?a=1&b=2) <https://e.org>",
            '<p><a href="https://e.org/?a=1&amp;b=2">a</a> <a href="https://e.org">https://e.org</a></p>',
        ),
        ("::: x, ///, JavaScript: the parts", "<p>::: x, ///, JavaScript : the parts</p>"),
        ('![p](https://e.org/p.png "t")', '<p><img alt="p" src="https://e.org/p.png" title="t"/></p>'),
    ],
)
def test_what_is_harmless_looks_the_same(
    source: str, html: str, folder: Path, convert: Callable[[str], tuple[BeautifulSoup, list[str]]]
) -> None:
    converted, _ = convert(imported(folder, text(source)))
    assert str(converted.select("p")[0]) == html


def test_code_in_text_looks_the_same(folder: Path, convert: Callable[[str], tuple[BeautifulSoup, list[str]]]) -> None:
    shown = ["a = {{1}}\n\n  --8<-- *b*", "x <b>", "y = {1}", "``` z\n\n\n  w", "q"]
    forms = ("```python\n{}\n```", "    {}", "- i\n\n  ~~~\n  {}\n  ~~~", "~~~\n{}\n~~~", "> ```\n> {}\n> ```")
    cells = "\n\n".join(form.format(code) for form, code in zip(forms, shown, strict=True))
    converted, _ = convert(imported(folder, text(cells)))
    assert [block.get_text().strip("\n") for block in converted.select("pre")] == shown


SCRIPT_TEXTS = [
    '```python exec="on"\nprint(1)\n```',
    '.. code-block:: python exec="on"\n\n   print(1)',
    '.. note::\n\n   ```bash exec="on"\n   id\n   ```',
    '.. image:: ../outside/secret.png\n\n--8<-- "mkdocs.yml"',
    "`a <javascript:alert(1)>`_ <script>alert(1)</script>",
]


@pytest.mark.parametrize("source", SCRIPT_TEXTS)
@pytest.mark.parametrize("is_gallery", [True, False])
def test_text_of_a_script_stays_text(
    source: str, is_gallery: bool, folder: Path, convert: Callable[[str], tuple[BeautifulSoup, list[str]]]
) -> None:
    lines = source.split("\n")
    comments = "\n".join(f"# {line}" for line in lines)
    (folder / "n.py").write_text(
        f'"""\nTitle\n=====\n"""\n# %%\n{comments}\n' if is_gallery else f"# %% [markdown]\n{comments}\n"
    )
    assert main(["import", "n.py"]) == 0
    html, ran = convert((folder / "docs" / "n.md").read_text())
    assert not ran
    assert SECRET not in str(html)
    assert not html.select("script, img, [href^=javascript\\:]")
    assert files_below(folder / "docs") == {"n.md"}


CODES = [
    'x = """\n--8<-- "mkdocs.yml"\n"""\nlen(x)',
    "x = '''\n  -8<- 'mkdocs.yml'\n'''",
    'x = """\n--8<--\nmkdocs.yml\n--8<--\n"""',
    'x = """\n;--8<-- "mkdocs.yml"\n;;--8<--\n"""',
    "# --8<-- [start:x]\nx = 1\n# --8<-- [end:x]",
    "# --8<-- [end:cell_1]\nx = 1\n# --8<-- [start:cell_2]",
    "# ;--8<-- [START: y ] --8<-- [end:y]",
    'x = """\n--8<-- "a --8<-- [start:x]"\n"""',
    'x = "--8<--"  # no directive',
    'x = """\n```\n# T\n`````\n"""',
    'x = """\n{{ 6 * 7 }} {% x %}\n"""',
    'x = """\n---\na: b\n---\n"""',
]


@pytest.mark.parametrize("source", CODES)
def test_a_block_is_the_code_of_its_cell(source: str, folder: Path) -> None:
    (folder / "mkdocs.yml").write_text(SECRET)
    ran: list[str] = []

    def run(source: str, *_: object, **__: object) -> str:
        ran.append(source)
        return ""

    page = imported(folder, code("0"), code(source), code("2"))
    settings: dict[str, dict[str, object]] = {
        "pymdownx.superfences": {
            "custom_fences": [{"name": "python", "class": "", "validator": validator, "format": run}]
        },
        "pymdownx.snippets": {"base_path": [str(folder), str(folder / "snippets")], "check_paths": True},
    }
    Markdown(extensions=[*settings], extension_configs=settings).convert(page)
    assert ran == ["0", source, "2"]


@pytest.mark.parametrize("source", ['x = """\n--8<-- "mkdocs.yml"\n"""', 'x = """\n````````\n<script>\n"""'])
@pytest.mark.parametrize(
    ("tags", "is_shown", "show"),
    [
        *(((), True, "output"), (("hide-input",), False, "output"), (("hide-output",), True, "nothing")),
        *((("remove-cell",), False, "nothing"), (("skip-execution",), True, None)),
    ],
)
def test_code_that_markdown_exec_cannot_show_is_shown_apart(
    source: str, tags: tuple[str, ...], is_shown: bool, show: str | None, folder: Path
) -> None:
    page = imported(folder, code(source, tags=tags))
    fences = Markdown(extensions=["pymdownx.superfences"]).convert(page.partition("python exec=")[0].rstrip("`"))
    shown = [block.get_text().strip("\n") for block in BeautifulSoup(fences, "html.parser").select("pre")]
    assert shown == ([source] if is_shown else [])
    assert re.findall(r'exec="on" .*show="(\w+)"', page) == ([show] if show else [])


@pytest.mark.parametrize(
    ("source", "is_noted"),
    [
        *(('x = "a\tb"', True), ("x = '''a\n  \nb'''", True), ('x = "a\x02b"', True)),
        *(("if 1:\n\tx = 1", False), ("x = 1\t# a", False), ("x = 1\n   \ny = 2", False), ("%time\n\tx\n", False)),
    ],
)
def test_code_that_markdown_changes_is_noted(
    source: str, is_noted: bool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(folder, code(source))
    assert ("cell 1: Markdown changes tabs or blank lines" in capsys.readouterr().out) == is_noted


# ------------------------------------------------------------------------------------------------- A5: through links


TARGETS = ["docs/n.md", "snippets/n.py", "docs/n_files/picture-1.png", "docs/n_files"]


@posix
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("leads_to", ["../outside/new", "../outside/secret.png", "../outside", "missing"])
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_nothing_is_written_through_links(
    target: str, leads_to: str, force: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = folder / target
    link.parent.mkdir(parents=True)
    link.symlink_to(folder / leads_to)
    notebook(folder / "n.ipynb", text("![p](attachment:p)", attachments=attached("p")), code("1"))
    before = files_below(folder.parent), (folder.parent / "outside" / "secret.png").read_bytes()
    assert main(["import", *force, "n.ipynb"]) == 1
    assert capsys.readouterr().err == f"{target}:1: is a link; nothing is written through links, so remove it\n"
    assert (files_below(folder.parent), (folder.parent / "outside" / "secret.png").read_bytes()) == before


@posix
def test_a_folder_of_the_site_may_be_a_link_only_if_it_is_named(folder: Path) -> None:
    notebook(folder / "nb" / "sub" / "n.ipynb", code("1"))
    (folder / "real").mkdir()
    (folder / "docs").symlink_to("real")
    assert main(["import", "nb"]) == 0, "--docs names it"
    (folder / "real" / "sub" / "n.md").unlink()
    (folder / "real" / "sub").rmdir()
    (folder / "real" / "sub").symlink_to(folder.parent / "outside")
    assert main(["import", "nb"]) == 1
    assert files_below(folder.parent / "outside") == {"secret.png"}


@posix
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_overwritten(
    make: Callable[[Path], None], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "docs").mkdir()
    make(folder / "docs" / "n.md")
    notebook(folder / "n.ipynb", code("1"))
    assert main(["import", "--force", "n.ipynb"]) == 1
    assert capsys.readouterr().err == "docs/n.md:1: is there already, and no file; move it\n"


@posix
def test_overwriting_a_file_leaves_its_other_names_alone(folder: Path) -> None:
    (folder / "docs").mkdir()
    (folder / "mine").write_text("mine")
    (folder / "docs" / "n.md").hardlink_to(folder / "mine")
    notebook(folder / "n.ipynb", code("1"))
    assert main(["import", "--force", "n.ipynb"]) == 0
    assert (folder / "mine").read_text() == "mine"
    assert (folder / "docs" / "n.md").stat().st_mode & 0o444 == (folder / "docs").stat().st_mode & 0o444


@posix
def test_a_folder_has_no_notebooks_behind_links(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook(folder.parent / "outside" / "private.ipynb", text(SECRET))
    (folder.parent / "outside" / "private.py").write_text(f"# %%\n{SECRET}\n")
    notebook(folder / "nb" / "n.ipynb", code("1"))
    os.mkfifo(folder / "nb" / "pipe.py")
    for name in ("private.ipynb", "private.py"):
        (folder / "nb" / name).symlink_to(folder.parent / "outside" / name)
    (folder / "nb" / "sub").symlink_to(folder.parent / "outside")
    assert main(["import", "nb"]) == 0
    assert files_below(folder / "docs") == {"n.md"}


# ---------------------------------------------------------------------------------------------- C14: malformed files


@pytest.mark.parametrize(
    "content",
    [
        *(
            '{"cells": [null], "nbformat": 4}',
            '{"cells": [[]], "nbformat": 4}',
            '{"cells": null, "nbformat": 4}',
            "[" * 9999,
        ),
        *(
            '{"nbformat": 4}',
            '{"cells": [], "nbformat": "4"}',
            '{"cells": [], "nbformat": 4, "x": ' + "[" * 9999,
            "null",
        ),
        *('{"nbformat": 3, "worksheets": [null]}', '{"nbformat": -1}', '{"nbformat": 2, "worksheets": 5}', "\0", ""),
        *(
            f'{{"nbformat": 4, "cells": [{{"cell_type": "{kind}", {rest}}}]}}'
            for kind, rest in (
                ("code", '"source": 5'),
                ("code", '"source": [5]'),
                ("markdown", '"source": {}'),
                ("markdown", '"source": "\\ud800"'),
                ("code", '"source": "", "metadata": []'),
                ("code", '"source": "", "metadata": {"tags": 5}'),
                ("code", '"source": "", "metadata": {"tags": [{}]}'),
                ("code", '"source": "", "outputs": [null]'),
                ("code", '"source": "", "outputs": [{"output_type": "error", "ename": ["X"]}]'),
                ("markdown", '"source": "", "attachments": []'),
                ("markdown", '"source": "", "attachments": {"x": null}'),
                ("markdown", '"source": "", "attachments": {"x": {"image/png": 5}}'),
            )
        ),
    ],
)
def test_a_malformed_notebook_is_one_sentence(content: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "n.ipynb").write_text(content)
    assert main(["import", "n.ipynb"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("n.ipynb:1: not a notebook: ")
    assert printed.count("\n") == 1
    assert files_below(folder) == {"n.ipynb"}


@pytest.mark.parametrize("script", ["# %% tags=5\nx", "# %%\n\0", "# %%\n" + "(" * 5000])
def test_a_malformed_script_is_no_traceback(script: str, folder: Path) -> None:
    (folder / "n.py").write_text(script)
    assert main(["import", "n.py"]) in (0, 1)


def test_a_notebook_of_an_older_format_is_read(folder: Path) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Old\n", "text"]},
        {"cell_type": "code", "input": ["print(1)"], "language": "python", "metadata": {}, "outputs": []},
    ]
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells, "metadata": {}}]}
    (folder / "n.ipynb").write_text(json.dumps(old))
    assert main(["import", "n.ipynb"]) == 0
    assert (folder / "docs" / "n.md").read_text().startswith("# Old\ntext\n\n```python")
    assert "print(1)" in (folder / "snippets" / "n.py").read_text()


def test_what_old_tools_wrote_is_read(folder: Path) -> None:
    cells = [
        {"cell_type": "code", "source": ["a\n", "b"], "metadata": {"tags": None, "x": [1]}, "outputs": [{"text": 5}]}
    ]
    (folder / "n.ipynb").write_text(
        json.dumps({"nbformat": 4, "cells": [*cells, {"cell_type": "raw"}], "metadata": None})
    )
    assert main(["import", "n.ipynb"]) == 0
    assert "a\nb\n" in (folder / "snippets" / "n.py").read_text()


def test_two_pictures_of_one_name_are_two_pictures(folder: Path) -> None:
    cells = [text("![p](attachment:image.png)", attachments=attached("image.png", PNG + end)) for end in (b"1", b"2")]
    page = imported(folder, *cells, cells[0])
    assert re.findall(r"\((.*)\)", page) == [f"n_files/picture-{number}.png" for number in (1, 2, 1)]


def test_what_is_printed_of_a_notebook_does_not_act_on_a_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(folder, text("![p](<\x9b2J.png>) ![q](attachment:%1b%5d0;x%07)"), code("!pip install \x1b[8mx"))
    printed = capsys.readouterr().out
    assert "\\x1b]0;x\\x07" in printed
    assert printed.replace("\n", "").isprintable()


# ----------------------------------------------------------------------------------------------------- the whole way


def hostile_cells(marker: Path) -> Iterator[dict[str, Any]]:
    """Yield the cells of a notebook that tries everything; whatever runs appends to a file."""
    touch = f"open({str(marker)!r}, 'a').write('ran')"
    yield text("---\ntitle: Evil\nhooks: [x.py]\n---\n\n{{ secret }} {% include 'mkdocs.yml' %}")
    for fence in FENCES:
        yield text(fence.replace("print(1)", touch).replace("id\n", f"echo ran >> {marker}\n"))
    for source in (*INCLUDES, *TEMPLATES, *MARKUP, "::: secret_module", '{% include-markdown "../mkdocs.yml" %}'):
        yield text(source)
    for name in ("../../hook.py", "/../../../outside/x.py"):
        yield text(f"![x](attachment:{quote(name, safe='')})", attachments=attached(name, touch.encode()))
    yield text("![x](link.png) ![x](../outside/secret.png) ![x](up/secret.png)")
    yield code("1 / 0", ename=f'X" workdir="/"\n```\n\n```python exec="on"\n{touch}')
    yield from (code(f"{source}\nprint('LENGTH', len(str(x)))") for source in CODES)


@posix
def test_a_site_with_a_hostile_notebook_runs_its_cells_and_nothing_else(folder: Path) -> None:
    marker = folder.parent / "outside" / "ran"
    plugins = ("macros", "include-markdown", "mkdocstrings: {handlers: {python: {paths: [.]}}}")
    config = site_config(*plugins, snippets="[., snippets]", rest=f"extra: {{secret: {SECRET}}}")
    (folder / "mkdocs.yml").write_text(config)
    (folder / "secret_module.py").write_text(f'"""{SECRET}"""\nopen({str(marker)!r}, "a").write("ran")\n')
    (folder / "link.png").symlink_to(folder.parent / "outside" / "secret.png")
    (folder / "up").symlink_to(folder.parent / "outside")
    notebook(folder / "n.ipynb", *hostile_cells(marker))
    before = files_below(folder.parent)
    assert main(["import", "n.ipynb"]) == 0
    assert files_below(folder.parent) - before == {"site/docs/n.md", "site/snippets/n.py"}
    result = build(folder)
    assert result.returncode == 0, result.stdout + result.stderr
    assert not marker.exists()
    assert files_below(folder.parent / "outside") == {"secret.png"}
    html = page_html(folder, "n")
    assert SECRET not in html
    assert not [
        path for path in (folder / "site").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    names: dict[str, object] = {}
    lengths = []
    for source in CODES:
        exec(source, names)
        lengths.append(len(str(names["x"])))
    printed = re.findall(r"LENGTH (\d+)", BeautifulSoup(html, "html.parser").get_text())
    assert [int(length) for length in printed] == lengths
