"""LayoutCache of blocks are kept between builds, and never shown where they would be another."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from codeout.cache import distributions as packages
from codeout.markdown import layouts
from codeout.markdown.layouts import LayoutCache
from small_sites import CONFIG, SNIPPET, build, page_html


def test_a_layout_is_made_once_until_its_parts_change(tmp_path: Path) -> None:
    file, made = tmp_path / "layouts.json", []

    def get(extensions: object, **parts: object) -> str:
        kept = LayoutCache.load(file, extensions)
        html = kept.get(parts, lambda: made.append(parts) or f"<p>{len(made)}</p>")  # type: ignore[func-returns-value]
        kept.save()
        return html

    assert get(["a"], code="x") == "<p>1</p>"
    assert get(["a"], code="x") == "<p>1</p>"
    assert get(["a"], code="y") == "<p>2</p>"
    assert get(["a"], code="x") == "<p>3</p>", "what a build does not use is not kept"
    assert get(["b"], code="x") == "<p>4</p>", "another setting of an extension"
    assert get(["b"], code="x") == "<p>4</p>"


def test_an_installed_package_makes_all_layouts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = LayoutCache.load(tmp_path / "x", []).settings
    monkeypatch.setattr(layouts, "installation_stamp", lambda: ["another"])
    assert LayoutCache.load(tmp_path / "x", []).settings != before


def test_an_edit_of_the_engine_makes_all_layouts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "__file__", str(tmp_path / "packages.py"))
    (tmp_path / "notes.py").write_text("one")
    packages.engine_stamp.cache_clear()
    before = LayoutCache.load(tmp_path / "x", []).settings
    os.utime(tmp_path / "notes.py", ns=(1, 1))
    assert LayoutCache.load(tmp_path / "x", []).settings == before, "of the code that runs"
    packages.engine_stamp.cache_clear()  # as in the next process
    assert LayoutCache.load(tmp_path / "x", []).settings != before
    packages.engine_stamp.cache_clear()


def test_a_function_among_the_settings_is_known_again(tmp_path: Path) -> None:
    def other() -> None:
        """Stand for another formatter."""

    first, second = (LayoutCache.load(tmp_path / "x", {"format": f}).settings for f in (other, build))
    assert first != second
    assert first == LayoutCache.load(tmp_path / "x", {"format": other}).settings


@pytest.mark.parametrize("content", ["", "[]", '{"settings": 1}', "{"])
def test_a_torn_file_is_no_harm(tmp_path: Path, content: str) -> None:
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


def test_the_second_build_shows_the_same_page_from_what_was_kept(project: Path) -> None:
    assert build(project, "--strict").returncode == 0
    first = page_html(project)
    assert build(project, "--strict").returncode == 0
    assert page_html(project) == first
    kept = project / ".codeout" / "memo" / "layouts.json"
    content = json.loads(kept.read_text())
    content["layouts"] = {key: html.replace(">Out<", ">Kept<") for key, html in content["layouts"].items()}
    kept.write_text(json.dumps(content))
    build(project)
    assert ">Kept<" in page_html(project), "layouts come from the file"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("alternate_style: true}", "alternate_style: true}\n  - pymdownx.highlight: {linenums: true}", "linenos"),
        ("alternate_style: true}", "alternate_style: false}", 'class="tabbed-set" data-tabs'),
    ],
)
def test_a_setting_of_an_extension_is_seen_at_once(project: Path, old: str, new: str, found: str) -> None:
    build(project)
    assert found not in page_html(project)
    (project / "mkdocs.yml").write_text(CONFIG.replace(old, new))
    build(project)
    assert found in page_html(project)


def test_ids_are_unique_in_a_page(project: Path) -> None:
    for _ in range(2):
        build(project)
        ids = re.findall(r' id="([^"]+)"', page_html(project))
        assert len(ids) == len(set(ids))
        assert "out-two--__tabbed_1_1" in ids
