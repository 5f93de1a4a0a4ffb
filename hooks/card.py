"""Draws a social card. Values in, PNG out."""

from __future__ import annotations

from functools import cache
from importlib.metadata import distribution
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

FONTS = "matplotlib/mpl-data/fonts/ttf"  # in a package that the charts need, too
SIZE = (1200, 630)  # pixels, what sites that show cards ask for
EDGE = 80
PAPER, INK, QUIET, BLUE, PALE = "#ffffff", "#1b2230", "#566074", "#2952c8", "#7f9df0"


def card(site: str, title: str, about: str, made: str) -> bytes:
    """Return a card as PNG."""
    picture = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(picture)
    width = SIZE[0] - 2 * EDGE
    draw.rounded_rectangle((EDGE, 60, EDGE + 34, 90), 6, fill=PALE)
    draw.rounded_rectangle((EDGE + 38, 60, EDGE + 86, 90), 6, fill=BLUE)
    draw.text((EDGE + 110, 75), site, QUIET, _font("DejaVuSans.ttf", 30), anchor="lm")
    fonts = [_font("DejaVuSans-Bold.ttf", size) for size in (76, 64, 52, 40)]
    bold = next((font for font in fonts if draw.textlength(title, font) <= width), fonts[-1])
    draw.text((EDGE, 200), title, INK, bold, anchor="lm")
    y = 285
    for line in lines(draw, about, _font("DejaVuSans.ttf", 34), width)[:4]:
        draw.text((EDGE, y), line, QUIET, _font("DejaVuSans.ttf", 34), anchor="lm")
        y += 50
    draw.rectangle((0, SIZE[1] - 110, *SIZE), fill="#f4f6fa")
    draw.rectangle((0, SIZE[1] - 110, SIZE[0], SIZE[1] - 106), fill=BLUE)
    draw.text((EDGE, SIZE[1] - 53), made, INK, _font("DejaVuSansMono.ttf", 26), anchor="lm")
    file = BytesIO()
    picture.save(file, "png", optimize=True)
    return file.getvalue()


def lines(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """Return a text cut at its blanks into lines of at most `width` pixels, but for a word that is longer."""
    found: list[str] = []
    for word in text.split():
        longer = f"{found[-1]} {word}" if found else word
        if found and draw.textlength(longer, font) <= width:
            found[-1] = longer
        else:
            found.append(word)
    return found


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(distribution("matplotlib").locate_file(f"{FONTS}/{name}")), size)
