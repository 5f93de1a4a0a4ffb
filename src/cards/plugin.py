"""MkDocs events: draw a social card for each page of a site whose address is known (a card is asked for by full URL).

The page's head asks for `assets/cards/NAME.png`; see `overrides/main.html`.
"""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from mkdocs.config.base import Config as PluginConfig
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import BasePlugin
from mkdocs.structure.pages import Page

FOLDER = "assets/cards"
SENTENCE = re.compile(r'<p class="codeout-sentence">([^<]*)')


class Settings(PluginConfig):
    """There is nothing to set."""


class CardsPlugin(BasePlugin[Settings]):
    """Writes the cards while a site is built."""

    def on_post_page(self, output: str, *, page: Page, config: MkDocsConfig) -> None:
        """Draw the card of a page: its title, what it is about, and how its outputs were made."""
        if not config.site_url:
            return
        from cards.card import card  # here, so that a build without cards is quick

        title = config.site_name if page.is_homepage else str(page.title)
        about = str(page.meta.get("description") or config.site_description or "")
        made = SENTENCE.search(output)
        sentence = unescape(made[1]).strip(" ·") if made else ""
        file = Path(config.site_dir) / FOLDER / f"{page.file.name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(card(config.site_name, title, about, sentence))
