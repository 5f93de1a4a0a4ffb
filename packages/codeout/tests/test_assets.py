"""Large `data:` URLs of outputs become files of the site."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from codeout.mkdocs.assets import MIN_DATA_LENGTH, extract_data_urls
from small_sites import CONFIG, build

SHOW = f"""from IPython.display import HTML
HTML('<img src="data:image/png;base64,' + "A" * {MIN_DATA_LENGTH} + '">')"""


def url(content: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize(
    ("mime", "extension"), [("image/png", ".png"), ("text/javascript", ".js"), ("image/x-unheard-of", ".bin")]
)
def test_large_data_become_a_file_named_by_its_digest(mime: str, extension: str) -> None:
    large, small = bytes(MIN_DATA_LENGTH), bytes(100)
    html, files = extract_data_urls(
        f'<img src="{url(large, mime)}"><img src="{url(small, mime)}"><a data-x="{url(large, mime)}">', "../{}".format
    )
    ((name, content),) = files.items()
    assert content == large
    assert name.endswith(extension)
    assert html == f'<img src="../{name}"><img src="{url(small, mime)}"><a data-x="../{name}">'
    (other,) = extract_data_urls(f'<img src="{url(large + b"x", mime)}">', str)[1]
    assert other != name


def test_code_that_shows_a_data_url_is_left_alone() -> None:
    html = f"<code>src=&quot;{url(bytes(MIN_DATA_LENGTH), 'image/png')}&quot;</code>"
    assert extract_data_urls(html, str) == (html, {})


@pytest.mark.parametrize(
    "html",
    [
        f'<img src="{url(bytes(MIN_DATA_LENGTH), "text/html")}">',
        f'<img src="{url(bytes(MIN_DATA_LENGTH), "image/svg+xml")}">',
        f'<text>="{url(bytes(MIN_DATA_LENGTH), "image/png")}"</text>',
        f'<img src="data:image/png;base64,{"A" * (MIN_DATA_LENGTH + 1)}">',
    ],
    ids=["a page", "an image that can run scripts", "text outside a tag", "invalid base64"],
)
def test_other_data_urls_are_left_alone(html: str) -> None:
    assert extract_data_urls(html, str) == (html, {})


def test_the_links_of_a_page_lead_to_its_files(tmp_path: Path) -> None:
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "docs" / "sub" / "first.md").write_text(f'# First\n\n```python exec="on" session="s"\n{SHOW}\n```\n')
    (tmp_path / "mkdocs.yml").write_text(CONFIG.replace("{paths: [snippets]}", "{}"))
    for _ in range(2):
        assert build(tmp_path, "--strict").returncode == 0
        (file,) = (tmp_path / "site" / "assets" / "outputs").iterdir()
        assert (
            f'src="../../assets/outputs/{file.name}"'
            in (tmp_path / "site" / "sub" / "first" / "index.html").read_text()
        )
        assert file.read_bytes() == bytes(MIN_DATA_LENGTH * 3 // 4)


def test_other_plugins_see_the_file_and_not_its_data(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f'# First\n\n```python exec="on" session="s"\n{SHOW}\n```\n')
    (tmp_path / "mkdocs.yml").write_text(CONFIG.replace("{paths: [snippets]}", "{}") + "hooks: [hook.py]\n")
    (tmp_path / "hook.py").write_text('def on_page_content(html, **_):\n    open("seen.html", "w").write(html)\n')
    assert build(tmp_path, "--strict").returncode == 0
    seen = (tmp_path / "seen.html").read_text()
    assert 'src="assets/outputs/' in seen
    assert "base64" not in seen
