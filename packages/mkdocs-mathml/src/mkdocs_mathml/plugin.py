"""MkDocs events: cut the font of the formulas down to the characters that the site's formulas use.

Without it formulas are right, and stand in the reader's own mathematics font if there is one.
"""

from __future__ import annotations

import os
import re
from functools import cache
from html import unescape
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from mkdocs.config.base import Config as PluginConfig
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import BasePlugin
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

FOLDER = "assets/mathml"
FONT = "ziamath/fonts/STIXTwoMath-Regular.ttf"  # in a package that is installed for this file alone
FORMULA = re.compile(r"<math.*?</math>", re.DOTALL)
ANNOTATION = re.compile(r"<annotation.*?</annotation>", re.DOTALL)
ACCENTS = "\u0302\u0304\u0307"  # hat, bar, dot: combining marks that browsers look for
CSS = """\
@font-face {
  font-family: "Formulas";
  src: url("math.woff") format("woff");
  font-display: swap;
}

math {
  font-family: "Formulas", math;
}
"""


class Settings(PluginConfig):
    """There is nothing to set."""


class MathmlPlugin(BasePlugin[Settings]):
    """Adds the font, and the style that asks for it."""

    def __init__(self) -> None:
        """Start with no character."""
        super().__init__()
        self._characters: set[str] = set()
        self._page, self._text = "", ""  # that is converted

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        """Link the style from every page."""
        config.extra_css.append(f"{FOLDER}/math.css")
        config.mdx_configs["mathml"] = {"fault": self._fault}
        return config

    def on_page_markdown(self, markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> None:
        """Note which page comes next."""
        root = Path(config.config_file_path).parent if config.config_file_path else Path.cwd()
        self._page = Path(os.path.relpath(config.docs_dir, root), page.file.src_uri).as_posix()
        self._text = page.file.content_string

    def _fault(self, formula: str, problem: str) -> Exception:
        """Return what MkDocs shows as a message: where a wrong formula stands, and what is wrong with it."""
        first = formula.split("\n", maxsplit=1)[0]
        line = next((number for number, line in enumerate(self._text.split("\n"), start=1) if first in line), 1)
        return PluginError(f"{self._page}:{line}: {problem} in the formula {formula!r}")

    def on_post_page(self, output: str, *, page: Page, config: MkDocsConfig) -> str:
        """Collect the characters of the page's formulas."""
        self._characters |= characters(output)
        return output

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        """Write the font and its style."""
        folder = Path(config.site_dir) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "math.css").write_text(CSS, encoding="utf8")
        (folder / "math.woff").write_bytes(font(frozenset(self._characters)))


def characters(html: str) -> set[str]:
    """Return the characters that the formulas of a page show."""
    formulas = "".join(FORMULA.findall(html))
    return set(unescape(re.sub(r"<[^>]*>", "", ANNOTATION.sub("", formulas))))


@cache  # a live server builds again and again, mostly with the same formulas
def font(wanted: frozenset[str]) -> bytes:
    """Return STIX Two Math (WOFF) with no more glyphs than these characters need, all sizes of parentheses included."""
    options = Options()
    options.flavor = "woff"
    options.layout_features = ["*"]
    cut = TTFont(distribution("ziamath").locate_file(FONT))
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(sorted({*wanted, *_italics(wanted)})) + ACCENTS)
    subsetter.subset(cut)
    cut.flavor = "woff"
    file = BytesIO()
    cut.save(file)
    return file.getvalue()


def _italics(wanted: frozenset[str]) -> set[str]:
    """Return the mathematical italics that a browser puts in place of single letters (MathML Core, 4.2)."""
    latin = {chr(0x1D434 + ord(c) - 65) for c in wanted if "A" <= c <= "Z"}
    latin |= {"\u210e" if c == "h" else chr(0x1D44E + ord(c) - 97) for c in wanted if "a" <= c <= "z"}
    greek = {chr(0x1D6FC + ord(c) - 0x3B1) for c in wanted if "\u03b1" <= c <= "\u03c9"}
    return latin | greek | ({"\U0001d715"} if "\u2202" in wanted else set())
