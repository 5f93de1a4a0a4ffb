"""What is tested of every page and its snippet; a test file for each page says what to expect."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from bs4 import BeautifulSoup, Tag

from site_helpers import ROOT

NUMBER = r"-?\d+\.\d+"
SOURCE = r"\((original|mirror|placeholder)\)"


class PageTests:
    """Expectations of every page; `pytest_generate_tests` makes a test of each row."""

    page: ClassVar[str]
    rows: ClassVar[Mapping[str, tuple[str, str | None]]]
    printed: ClassVar[Sequence[str]]

    def test_the_snippet_runs_as_a_script_and_its_assertions_hold(self, placeholders: Path) -> None:
        told = run(self.page, placeholders)
        assert [words for words in self.printed if words not in told] == []

    def test_a_row_of_the_inventory_is_on_the_page_with_its_out(self, site: Path, row: str) -> None:
        section, expected = self.rows[row]
        shown = out(site, self.page, section)
        if expected is None:
            assert shown is None
        else:
            assert shown is not None
            assert re.fullmatch(expected, words(shown), re.DOTALL if "F" in row else 0), words(shown)

    def test_the_code_of_a_row_is_shown_as_it_ran(self, site: Path, row: str) -> None:
        section, _ = self.rows[row]
        shown = [code.get_text().strip() for code in soup(site, self.page).select(".highlight code")]
        figure_alone = "F" in row
        assert (visible(section_code(self.page, section)) in shown) != figure_alone


class PictureTests:
    """Expectations of a page with charts."""

    page: ClassVar[str]
    pictures: ClassVar[Mapping[str, str]]

    def test_a_picture_is_svg_with_words(self, site: Path, picture: str) -> None:
        shown = out(site, self.page, picture)
        assert shown is not None
        svg = shown.select_one("figure.codeout-figure > svg[role=img]")
        assert svg is not None
        assert re.search(self.pictures[picture], str(svg["aria-label"]))


class DiagramTests:
    """Expectations of a page with a diagram."""

    page: ClassVar[str]
    diagrams: ClassVar[Sequence[str]]

    def test_a_diagram_is_svg_with_title_and_description(self, site: Path, diagram: str) -> None:
        shown = out(site, self.page, diagram)
        assert shown is not None
        svg = shown.select_one("svg.drawing")
        assert svg is not None
        named = [svg.find(id=name) for name in str(svg["aria-labelledby"]).split()]
        assert all(tag is not None and tag.get_text() for tag in named)


def run(name: str, folder: Path) -> str:
    """Run a snippet as a script, with placeholders for data; return what it printed."""
    environment = {**os.environ, "MPLBACKEND": "agg", "TUTORIAL_PLACEHOLDERS": "only"}
    command = [sys.executable, f"snippets/{name}.py"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def soup(site: Path, page: str) -> BeautifulSoup:
    """Return a built page."""
    path = site / "index.html" if page == "index" else site / page / "index.html"
    return BeautifulSoup(path.read_text(encoding="utf8"), "html.parser")


def out(site: Path, page: str, section: str) -> Tag | None:
    """Return the Out of a section, found by the line of the snippet where the section starts."""
    lines = (ROOT / "snippets" / f"{page}.py").read_text(encoding="utf8").splitlines()
    line = lines.index(f"# --8<-- [start:{section}]") + 2
    return soup(site, page).find(class_="codeout", attrs={"data-origin": f"snippets/{page}.py:{line}"})


def words(tag: Tag) -> str:
    """Return what an Out shows, without its run line and warnings."""
    for extra in tag.select(".codeout-run, .codeout-placeholder, svg title, svg desc"):
        extra.decompose()
    return tag.get_text().strip("\n")


def visible(code: str) -> str:
    shown = "\n".join(line for line in code.split("\n") if "markdown-exec: hide" not in line).strip()
    return re.sub(r"(# \(\d+\))!$", r"\1", shown, flags=re.MULTILINE)  # the number of a note


def section_code(page: str, section: str) -> str:
    text = (ROOT / "snippets" / f"{page}.py").read_text(encoding="utf8")
    found = re.search(rf"# --8<-- \[start:{section}\]\n(.*?)# --8<-- \[end:{section}\]", text, re.DOTALL)
    assert found is not None
    return found[1]
