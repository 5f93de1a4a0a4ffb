"""Large data of outputs lie beside a page and not in it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from codeout.mkdocs.assets import LEAST, outside
from small_sites import CONFIG, build


def url(content: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize(
    ("mime", "ending"), [("image/png", ".png"), ("text/javascript", ".js"), ("image/x-unheard-of", ".bin")]
)
def test_large_data_become_a_file_named_by_what_is_in_it(mime: str, ending: str) -> None:
    large, small = bytes(LEAST), bytes(100)
    html, files = outside(
        f'<img src="{url(large, mime)}"><img src="{url(small, mime)}"><a data-x="{url(large, mime)}">', "../{}".format
    )
    ((name, content),) = files.items()
    assert content == large
    assert name.endswith(ending)
    assert html == f'<img src="../{name}"><img src="{url(small, mime)}"><a data-x="../{name}">'
    (other,) = outside(f'<img src="{url(large + b"x", mime)}">', str)[1]
    assert other != name


def test_code_that_shows_such_an_address_is_left_alone() -> None:
    shown = f"<code>src=&quot;{url(bytes(LEAST), 'image/png')}&quot;</code>"
    assert outside(shown, str) == (shown, {})


@pytest.mark.parametrize(
    "shown",
    [
        f'<img src="{url(bytes(LEAST), "text/html")}">',
        f'<img src="{url(bytes(LEAST), "image/svg+xml")}">',
        f'<text>="{url(bytes(LEAST), "image/png")}"</text>',
        f'<img src="data:image/png;base64,{"A" * (LEAST + 1)}">',
    ],
    ids=["a page", "a picture that could act", "a text", "no base64"],
)
def test_what_is_no_picture_of_a_tag_gets_no_address(shown: str) -> None:
    assert outside(shown, str) == (shown, {})


def test_a_page_finds_its_files(tmp_path: Path) -> None:
    code = f'from IPython.display import HTML\nHTML("<img src=\\"data:image/png;base64," + "A" * {LEAST} + "\\">")'
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "docs" / "sub" / "first.md").write_text(f'# First\n\n```python exec="on" session="s"\n{code}\n```\n')
    (tmp_path / "mkdocs.yml").write_text(CONFIG.replace("{paths: [snippets]}", "{}"))
    for _ in range(2):
        assert build(tmp_path, "--strict").returncode == 0
        (file,) = (tmp_path / "site" / "assets" / "outputs").iterdir()
        assert (
            f'src="../../assets/outputs/{file.name}"'
            in (tmp_path / "site" / "sub" / "first" / "index.html").read_text()
        )
        assert file.read_bytes() == bytes(LEAST * 3 // 4)
