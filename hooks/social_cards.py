"""MkDocs hook: draw a social card, the preview image of a shared link, for each page of a site with a `site_url`.

The page's head refers to `assets/cards/NAME.png`; see `overrides/main.html`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

FOLDER = "assets/cards"
FONTS = "matplotlib/mpl-data/fonts/ttf"  # in a package that the charts need as well
SIZE = (1200, 630)  # pixels; overrides/main.html names them, too
EDGE = 80
PAPER, INK, QUIET, BLUE, PALE, FOOTER = "#ffffff", "#1b2230", "#566074", "#2952c8", "#7f9df0", "#f4f6fa"


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Draw the card of a page: its title, its description, and how its outputs were made."""
    if not config.site_url:
        return output
    title = config.site_name if page.is_homepage else str(page.title)
    description = str(page.meta.get("description") or config.site_description or "")
    summary = str(page.meta.get("codeout_summary") or "")
    file = Path(config.site_dir) / FOLDER / f"{page.file.name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(card(config.site_name, title, description, summary))
    return output


def card(site: str, title: str, description: str, summary: str) -> bytes:
    """Return a card as PNG.

    Args:
        site: the name of the site.
        title: of the page; it is drawn as large as the width allows.
        description: of the page; four lines at most are drawn.
        summary: a line at the foot of the card.
    """
    from PIL import Image, ImageDraw  # on use, so that a build without cards does not load Pillow

    picture = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(picture)
    width = SIZE[0] - 2 * EDGE
    draw.rounded_rectangle((EDGE, 60, EDGE + 34, 90), 6, fill=PALE)
    draw.rounded_rectangle((EDGE + 38, 60, EDGE + 86, 90), 6, fill=BLUE)
    draw.text((EDGE + 110, 75), site, QUIET, _font("DejaVuSans.ttf", 30), anchor="lm")
    fonts = [_font("DejaVuSans-Bold.ttf", size) for size in (76, 64, 52, 40)]
    bold = next((font for font in fonts if draw.textlength(title, font) <= width), fonts[-1])
    draw.text((EDGE, 200), title, INK, bold, anchor="lm")
    text = _font("DejaVuSans.ttf", 34)
    for number, line in enumerate(wrap(draw, description, text, width)[:4]):
        draw.text((EDGE, 285 + 50 * number), line, QUIET, text, anchor="lm")
    draw.rectangle((0, SIZE[1] - 110, *SIZE), fill=FOOTER)
    draw.rectangle((0, SIZE[1] - 110, SIZE[0], SIZE[1] - 106), fill=BLUE)
    draw.text((EDGE, SIZE[1] - 53), summary, INK, _font("DejaVuSansMono.ttf", 26), anchor="lm")
    file = BytesIO()
    picture.save(file, "png", optimize=True)
    return file.getvalue()


def wrap(draw: ImageDraw, text: str, font: FreeTypeFont, width: float) -> list[str]:
    """Return a text as lines of at most `width` pixels; only a single word may be longer."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and draw.textlength(longer, font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@cache
def _font(name: str, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(str(distribution("matplotlib").locate_file(f"{FONTS}/{name}")), size)
