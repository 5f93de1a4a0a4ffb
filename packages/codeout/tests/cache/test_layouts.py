"""Layouts of blocks are cached between builds, and a changed part or setting is a miss."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from codeout.cache import distributions as packages
from codeout.cache import layouts
from codeout.cache.files import write_sealed
from codeout.cache.layouts import LayoutCache
from small_sites import CONFIG, SNIPPET, build, page_html


def test_a_layout_is_rendered_once_until_its_parts_change(tmp_path: Path) -> None:
    file, rendered_parts = tmp_path / "layouts.json", []

    def get(extensions: object, **parts: object) -> str:
        cache = LayoutCache.load(file, extensions)
        html = cache.get(parts, lambda: rendered_parts.append(parts) or f"<p>{len(rendered_parts)}</p>")  # type: ignore[func-returns-value]
        cache.save()
        return html

    assert get(["a"], code="x") == "<p>1</p>"
    assert get(["a"], code="x") == "<p>1</p>"
    assert get(["a"], code="y") == "<p>2</p>"
    assert get(["a"], code="x") == "<p>3</p>", "layouts that a build does not use are removed"
    assert get(["b"], code="x") == "<p>4</p>", "another setting of an extension"
    assert get(["b"], code="x") == "<p>4</p>"


def test_the_longest_entries_are_left_out_of_a_file_that_would_be_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts, "MAX_CHARACTERS", 10)
    first = LayoutCache.load(tmp_path / "x", [])
    for text in ("a long drawing", "short", "tiny"):
        first.get({"of": text}, lambda text=text: text)  # type: ignore[misc]
    first.save()
    second = LayoutCache.load(tmp_path / "x", [])
    assert [second.get({"of": text}, lambda: "new") for text in ("tiny", "short", "a long drawing")] == [
        "tiny",
        "short",
        "new",
    ]


def change_file(project: Path, old: str, new: str) -> None:
    """Replace a text in everything that the file of a project's layouts holds."""
    file = project / ".codeout" / "memo" / "layouts.json"
    content = json.loads(file.read_text())["content"]
    content["layouts"] = {key: html.replace(old, new) for key, html in content["layouts"].items()}
    write_sealed(file, json.dumps(content).encode())


def test_a_drawing_is_converted_once(project: Path) -> None:
    drawing = '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0hN"/></svg>'
    code = f"from IPython.display import SVG, display\ndisplay(SVG({drawing!r}.replace('N', '1')))"
    (project / "snippets/first.py").write_text(SNIPPET.replace("x = ", f"{code}\nx = "))
    for _ in range(2):
        assert build(project, "--strict").returncode == 0
        assert 'd="M0 0h1"' in page_html(project)
    change_file(project, "M0 0h1", "M9 9h9")
    build(project)
    assert 'd="M9 9h9"' in page_html(project), "drawings come from the file"


def test_installing_a_package_invalidates_all_layouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = LayoutCache.load(tmp_path / "x", []).settings
    monkeypatch.setattr(layouts, "installation_stamp", lambda: ["another"])
    assert LayoutCache.load(tmp_path / "x", []).settings != before


def test_editing_the_engine_invalidates_all_layouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "__file__", str(tmp_path / "cache/packages.py"))
    (tmp_path / "notes.py").write_text("one")
    packages.engine_stamp.cache_clear()
    before = LayoutCache.load(tmp_path / "x", []).settings
    os.utime(tmp_path / "notes.py", ns=(1, 1))
    assert LayoutCache.load(tmp_path / "x", []).settings == before, "of the code that runs"
    packages.engine_stamp.cache_clear()  # as in the next process
    assert LayoutCache.load(tmp_path / "x", []).settings != before
    packages.engine_stamp.cache_clear()


def test_a_function_among_the_settings_is_compared_by_name(tmp_path: Path) -> None:
    def other() -> None:
        """Stand for another formatter."""

    first, second = (LayoutCache.load(tmp_path / "x", {"format": f}).settings for f in (other, build))
    assert first != second
    assert first == LayoutCache.load(tmp_path / "x", {"format": other}).settings


@pytest.mark.parametrize("content", ["", "[]", '{"settings": 1}', "{"])
def test_a_damaged_file_is_ignored(tmp_path: Path, content: str) -> None:
    (tmp_path / "x").write_text(content)
    assert LayoutCache.load(tmp_path / "x", []).get({}, lambda: "new") == "new"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    fence = '```python exec="on" session="first" source="tabbed-left" tabs="{tabs}"\n--8<-- "first.py:{part}"\n```\n'
    page = "# First\n\n" + "\n".join(fence.format(tabs="Code|Out", part=part) for part in ("one", "two"))
    for path, text in {
        "mkdocs.yml": CONFIG,
        "docs/first.md": page,
        "snippets/first.py": SNIPPET,
        "snippets/helper.py": "VALUE = 41\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_the_second_build_shows_the_same_page_from_cached_layouts(project: Path) -> None:
    assert build(project, "--strict").returncode == 0
    first = page_html(project)
    assert build(project, "--strict").returncode == 0
    assert page_html(project) == first
    change_file(project, ">Out<", ">Cached<")
    build(project)
    assert ">Cached<" in page_html(project), "layouts come from the file"


@pytest.mark.parametrize(
    ("old", "new", "html"),
    [
        ("alternate_style: true}", "alternate_style: true}\n  - pymdownx.highlight: {linenums: true}", "linenos"),
        ("alternate_style: true}", "alternate_style: false}", 'class="tabbed-set" data-tabs'),
    ],
)
def test_a_changed_setting_of_an_extension_takes_effect_at_once(project: Path, old: str, new: str, html: str) -> None:
    build(project)
    assert html not in page_html(project)
    (project / "mkdocs.yml").write_text(CONFIG.replace(old, new))
    build(project)
    assert html in page_html(project)


def test_ids_are_unique_in_a_page(project: Path) -> None:
    for _ in range(2):
        build(project)
        ids = re.findall(r' id="([^"]+)"', page_html(project))
        assert len(ids) == len(set(ids))
        assert "out-two--__tabbed_1_1" in ids
