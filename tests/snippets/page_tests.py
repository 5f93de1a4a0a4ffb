"""Tests of every page and its snippet; the test file of a page says what to expect."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import ClassVar

from bs4 import BeautifulSoup, Tag

from site_helpers import ROOT, parse

NUMBER = r"-?\d+\.\d+"


class PageTests:
    """Tests of every page; `pytest_generate_tests` makes one of each row."""

    page: ClassVar[str]
    rows: ClassVar[Mapping[str, tuple[str, str | None]]]
    """By number: a section, and the pattern of its Out; None: it has none."""
    printed: ClassVar[Sequence[str]]
    """What the snippet prints as a script, with placeholder data."""

    def test_the_snippet_runs_as_a_script_and_its_assertions_hold(self, placeholders: Path) -> None:
        printed = run(self.page, placeholders)
        assert [text for text in self.printed if text not in printed] == []

    def test_a_row_of_the_inventory_is_on_the_page_with_its_out(self, site: Path, row: str) -> None:
        section, expected = self.rows[row]
        shown = out(site, self.page, section)
        if expected is None:
            assert shown is None
        else:
            assert shown is not None
            assert re.fullmatch(expected, text_of(shown), re.DOTALL if "F" in row else 0), text_of(shown)

    def test_the_code_of_a_row_is_shown_as_it_ran(self, site: Path, row: str) -> None:
        section, _ = self.rows[row]
        shown = [code.get_text().strip() for code in soup(site, self.page).select(".highlight code")]
        is_figure = "F" in row  # its code is not on the page
        assert (without_hidden_lines(section_code(self.page, section)) in shown) != is_figure


class PictureTests:
    """Tests of a page with charts."""

    page: ClassVar[str]
    pictures: ClassVar[Mapping[str, str]]
    """By section: the pattern of the picture's alt text."""
    photographs: ClassVar[Collection[str]] = ()
    """The sections whose drawings have a photograph in them, so that they load when they come into view."""

    def test_a_picture_is_svg_with_alt_text(self, site: Path, picture: str) -> None:
        shown = out(site, self.page, picture)
        assert shown is not None
        is_photograph = picture in self.photographs
        selector = 'img[src$=".svg"][loading=lazy]' if is_photograph else "svg[role=img]"
        drawn = shown.select_one(f"figure.codeout-figure > {selector}")
        assert drawn is not None
        assert re.search(self.pictures[picture], str(drawn["alt" if is_photograph else "aria-label"]))


class DiagramTests:
    """Tests of a page with a diagram."""

    page: ClassVar[str]
    diagrams: ClassVar[Sequence[str]]
    """Their sections."""

    def test_a_diagram_is_svg_with_title_and_description(self, site: Path, diagram: str) -> None:
        shown = out(site, self.page, diagram)
        assert shown is not None
        svg = shown.select_one("svg.drawing")
        assert svg is not None
        named = [svg.find(id=name) for name in str(svg["aria-labelledby"]).split()]
        assert all(tag is not None and tag.get_text() for tag in named)


def run(name: str, folder: Path) -> str:
    """Run a snippet as a script with placeholder data, and return what it printed."""
    environment = {**os.environ, "MPLBACKEND": "agg", "TUTORIAL_PLACEHOLDERS": "only"}
    command = [sys.executable, f"snippets/{name}.py"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def soup(site: Path, page: str) -> BeautifulSoup:
    """Return a built page."""
    return parse(site / "index.html" if page == "index" else site / page / "index.html")


def out(site: Path, page: str, section: str) -> Tag | None:
    """Return a copy of the Out of a section, which is found by the section's first line in the snippet."""
    lines = (ROOT / "snippets" / f"{page}.py").read_text(encoding="utf8").splitlines()
    line = lines.index(f"# --8<-- [start:{section}]") + 2
    return copy(soup(site, page).select_one(f'.codeout[data-origin="snippets/{page}.py:{line}"]'))


def text_of(tag: Tag) -> str:
    """Return the text of an Out, without its run line and the note about placeholder data."""
    for extra in tag.select(".codeout-run, .codeout-placeholder, svg title, svg desc"):
        extra.decompose()
    return tag.get_text().strip("\n")


def without_hidden_lines(code: str) -> str:
    shown = "\n".join(line for line in code.split("\n") if "markdown-exec: hide" not in line).strip()
    return re.sub(r"(# \(\d+\))!$", r"\1", shown, flags=re.MULTILINE)  # the number of a note


def section_code(page: str, section: str) -> str:
    text = (ROOT / "snippets" / f"{page}.py").read_text(encoding="utf8")
    found = re.search(rf"# --8<-- \[start:{section}\]\n(.*?)# --8<-- \[end:{section}\]", text, re.DOTALL)
    assert found is not None
    return found[1]
