"""MkDocs events: add a font with the characters of the site's formulas, and locate a wrong formula.

Without the plugin, formulas are correct and shown in the reader's own mathematical font, if there is one.
"""

from __future__ import annotations

import os
from pathlib import Path

from mkdocs.config.base import Config as PluginConfig
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import BasePlugin
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from mkdocs_mathml.font import formula_characters, subset_font

FOLDER = "assets/mathml"
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
    """The plugin has no settings."""


class MathmlPlugin(BasePlugin[Settings]):
    """Adds the font and its stylesheet to a site."""

    def __init__(self) -> None:
        """Start without characters."""
        super().__init__()
        self._characters: set[str] = set()
        self._page: Page | None = None
        self._root = Path()

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        """Link the stylesheet from every page, and have wrong formulas reported with their page and line."""
        self._root = Path(config.config_file_path).parent if config.config_file_path else Path.cwd()
        config.extra_css.append(f"{FOLDER}/math.css")
        config.mdx_configs["mathml"] = {"make_error": self._locate}
        return config

    def on_pre_page(self, page: Page, *, config: MkDocsConfig, files: Files) -> None:
        """Remember which page is converted next."""
        self._page = page

    def on_post_page(self, output: str, *, page: Page, config: MkDocsConfig) -> str:
        """Collect the characters of the page's formulas."""
        self._characters |= formula_characters(output)
        return output

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        """Write the font and its stylesheet."""
        folder = Path(config.site_dir) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "math.css").write_text(CSS, encoding="utf8")
        (folder / "math.woff").write_bytes(subset_font(frozenset(self._characters)))

    def _locate(self, formula: str, problem: str) -> Exception:
        """Return an error that MkDocs shows without a traceback, with the page and line of a wrong formula."""
        message = f"{problem} in the formula {formula!r}"
        if self._page is None:
            return PluginError(message)
        first_line = formula.split("\n", maxsplit=1)[0]
        lines = self._page.file.content_string.split("\n")
        number = next((number for number, line in enumerate(lines, start=1) if first_line in line), 1)
        path = Path(os.path.relpath(self._page.file.abs_src_path or self._page.file.src_uri, self._root)).as_posix()
        return PluginError(f"{path}:{number}: {message}")
