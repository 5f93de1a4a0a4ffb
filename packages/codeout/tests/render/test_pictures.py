"""Large `data:` URLs of outputs become files of the site."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from codeout import Figure, Run, Value
from codeout.cache.pictures import PictureFolder
from codeout.mkdocs.page_extras import is_drawing
from codeout.render.html import Renderer
from codeout.render.pictures import MIN_DATA_LENGTH, Pictures, ServedPictures, SitePictures
from helpers import PROVENANCE
from small_sites import CONFIG, build

SHOW = f"""from IPython.display import HTML
HTML('<img src="data:image/png;base64,' + "A" * {MIN_DATA_LENGTH} + '">')"""


def url(content: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


@pytest.fixture
def pictures(tmp_path: Path) -> SitePictures:
    """Return the pictures of a page one folder below the site's, which writes files into `tmp_path / "site"`."""
    return SitePictures(PictureFolder(tmp_path / "images", 10**6), tmp_path / "site", "../{}".format, is_drawing)


def named_by_digest(png: bytes) -> str:
    return f"{hashlib.sha256(png).hexdigest()[:20]}.png"


def written(tmp_path: Path) -> dict[str, bytes]:
    """Return the files that were written, by their names."""
    folder = tmp_path / "site"
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


@pytest.mark.parametrize(
    ("mime", "extension"), [("image/png", ".png"), ("text/javascript", ".js"), ("image/x-unheard-of", ".bin")]
)
def test_large_data_become_a_file_named_by_its_digest(
    mime: str, extension: str, pictures: SitePictures, tmp_path: Path
) -> None:
    large, small = bytes(MIN_DATA_LENGTH), bytes(100)
    html = pictures.move_data_out(
        f'<img src="{url(large, mime)}"><img src="{url(small, mime)}"><a data-x="{url(large, mime)}">'
    )
    ((name, content),) = written(tmp_path).items()
    assert content == large
    assert name.endswith(extension)
    assert html == f'<img src="../{name}"><img src="{url(small, mime)}"><a data-x="../{name}">'
    pictures.move_data_out(f'<img src="{url(large + b"x", mime)}">')
    assert len(written(tmp_path)) == 2


def test_code_that_shows_a_data_url_is_left_alone(pictures: SitePictures, tmp_path: Path) -> None:
    html = f"<code>src=&quot;{url(bytes(MIN_DATA_LENGTH), 'image/png')}&quot;</code>"
    assert pictures.move_data_out(html) == html
    assert not written(tmp_path)


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
def test_other_data_urls_are_left_alone(html: str, pictures: SitePictures, tmp_path: Path) -> None:
    assert pictures.move_data_out(html) == html
    assert not written(tmp_path)


def test_a_picture_travels_from_the_cache_to_the_site_by_its_digest(pictures: SitePictures, tmp_path: Path) -> None:
    large, small = b"\x89PNG" + bytes(MIN_DATA_LENGTH), b"\x89PNG" + bytes(100)
    figures = [Figure({"image/png": base64.b64encode(content).decode()}, "a") for content in (large, small)]
    stored = pictures.folder.save(Run(outputs=tuple(figures), provenance=PROVENANCE))
    parts = [output.data["image/png"] for output in stored.outputs if isinstance(output, Figure)]
    assert all(part.startswith("file:") for part in parts)
    name = named_by_digest(large)
    assert pictures.address("image/png", parts[0]) == f"../{name}"
    assert written(tmp_path) == {name: large}
    assert pictures.address("image/png", parts[1]) == url(small, "image/png"), "not worth another request"
    assert Pictures(pictures.folder).address("image/png", parts[0]) == url(large, "image/png"), "no site around it"
    assert pictures.folder.fill_in(stored).outputs == tuple(figures)


@pytest.mark.parametrize("mime", ["image/svg+xml", "text/html"])
def test_a_picture_inside_of_an_output_becomes_a_file(mime: str, pictures: SitePictures, tmp_path: Path) -> None:
    content = bytes(MIN_DATA_LENGTH)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url(content, "image/png")}" /></svg>'
    shown = Renderer(markdown=str, pictures=pictures).output(Value({mime: svg}), "a")
    assert written(tmp_path) == {named_by_digest(content): content}
    assert f'href="../{named_by_digest(content)}"' in shown


@pytest.mark.parametrize("name", ["x.png", "../secret.png", f"{'0' * 64}.svg", f"{'0' * 64}.png", ""])
def test_a_live_server_shows_nothing_but_pictures_of_the_cache(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "x.png").write_bytes(b"foreign")
    assert ServedPictures(PictureFolder(tmp_path / "images", 10**6)).read_served(name) is None


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
