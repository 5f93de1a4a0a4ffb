"""MkDocs hook: draw a social card, the preview image of a shared link, for each page of a site with a `site_url`.

The page's head refers to `assets/cards/NAME.png`; see `overrides/main.html`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page

FOLDER = "assets/cards"


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Draw the card of a page: its title, what it is about, and how its outputs were made."""
    if not config.site_url:
        return output
    sys.path.insert(0, str(Path(__file__).parent))
    from card import card  # on use, so that a build without cards does not load Pillow

    title = config.site_name if page.is_homepage else str(page.title)
    about = str(page.meta.get("description") or config.site_description or "")
    sentence = str(page.meta.get("codeout_summary") or "")
    file = Path(config.site_dir) / FOLDER / f"{page.file.name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(card(config.site_name, title, about, sentence))
    return output
