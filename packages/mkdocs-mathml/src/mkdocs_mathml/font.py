"""Subset STIX Two Math to the characters that the formulas of a site show."""

from __future__ import annotations

import re
from collections.abc import Set
from functools import cache
from html import unescape
from importlib.metadata import distribution
from io import BytesIO

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

FONT = "ziamath/fonts/STIXTwoMath-Regular.ttf"  # ziamath is installed for this file alone
FORMULA = re.compile(r"<math.*?</math>", re.DOTALL)
ANNOTATION = re.compile(r"<annotation.*?</annotation>", re.DOTALL)  # the LaTeX source, which is not shown
TAG = re.compile(r"<[^>]*>")
ACCENTS = "\u0302\u0304\u0307"  # hat, bar, dot: browsers look for combining marks


def formula_characters(html: str) -> set[str]:
    """Return the characters that the formulas of a page show."""
    formulas = "".join(FORMULA.findall(html))
    return set(unescape(TAG.sub("", ANNOTATION.sub("", formulas))))


@cache  # a live server builds again and again, mostly with the same formulas
def subset_font(characters: frozenset[str]) -> bytes:
    """Return STIX Two Math (WOFF) with the glyphs that these characters need, all sizes of parentheses included."""
    options = Options()
    options.flavor = "woff"
    options.layout_features = ["*"]
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(sorted({*characters, *_italics(characters)})) + ACCENTS)
    font = TTFont(distribution("ziamath").locate_file(FONT))
    subsetter.subset(font)
    font.flavor = "woff"
    file = BytesIO()
    font.save(file)
    return file.getvalue()


def _italics(characters: Set[str]) -> set[str]:
    """Return the mathematical italics that a browser shows for single letters (MathML Core, 4.2)."""
    latin = {chr(0x1D434 + ord(c) - 65) for c in characters if "A" <= c <= "Z"}
    latin |= {"\u210e" if c == "h" else chr(0x1D44E + ord(c) - 97) for c in characters if "a" <= c <= "z"}
    greek = {chr(0x1D6FC + ord(c) - 0x3B1) for c in characters if "\u03b1" <= c <= "\u03c9"}
    return latin | greek | ({"\U0001d715"} if "\u2202" in characters else set())
