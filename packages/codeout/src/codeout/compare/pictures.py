"""How different two pictures look: 0 for no visible difference, 1 for pictures of different things."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from xml.etree.ElementTree import Element, ParseError, fromstring

from codeout.compare.images import VISIBLE_SHADE, pixel_difference
from codeout.model.mime import SVG

INVISIBLE_MOVE = 0.005
"""Share of a picture's size by which a point may move unseen."""
DRAWN_ELEMENTS = ("path", "line", "polyline", "polygon", "rect", "circle", "ellipse", "image", "text", "use")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def picture_difference(mime: str, old: str, new: str) -> float:
    """Return how different two pictures of the same type look, from 0 to 1.

    Args:
        mime: their MIME type.
        old: SVG as text, any other type in base64.
        new: likewise.

    Raises:
        CodeoutError: they are raster images, and Pillow is not installed.
    """
    if old == new:
        return 0.0
    return _svg_difference(old, new) if mime == SVG.name else pixel_difference(old, new)


def _svg_difference(old: str, new: str) -> float:
    """Return the share of drawn elements that differ in shape, colour or text, or of which a point has moved."""
    try:
        before, after = fromstring(old), fromstring(new)  # noqa: S314 (the site's own, or checked)
    except ParseError:
        return 1.0
    size = max((float(number) for number in NUMBER.findall(before.get("viewBox", ""))), default=100.0)
    pairs = list(zip_longest(_drawn_elements(before), _drawn_elements(after)))
    differing = sum(a is None or b is None or not _is_similar(a, b, size) for a, b in pairs)
    return differing / max(len(pairs), 1)


def _drawn_elements(root: Element) -> Iterator[Element]:
    return (element for element in root.iter() if element.tag.rpartition("}")[2] in DRAWN_ELEMENTS)


def _is_similar(old: Element, new: Element, size: float) -> bool:
    if old.tag != new.tag or "".join(old.itertext()).split() != "".join(new.itertext()).split():
        return False
    before, after = _visible_attributes(old), _visible_attributes(new)
    if before.keys() != after.keys():
        return False
    return all(_is_close(before[name], after[name], size) for name in before)


def _visible_attributes(element: Element) -> dict[str, str]:
    """Return the attributes that can be seen, without the names of other elements in them."""
    attributes = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    return {
        name: re.sub(r"url\(#[^()]*\)", "url", value)
        for name, value in attributes.items()
        if not _is_element_name(name, value)
    }


def _is_element_name(name: str, value: str) -> bool:
    return name in ("id", "class", "clip-path") or (name == "href" and value.startswith("#"))


def _is_close(old: str, new: str, size: float) -> bool:
    if old.startswith("data:image/") and new.startswith("data:image/"):
        return old == new or pixel_difference(old.partition(",")[2], new.partition(",")[2]) <= VISIBLE_SHADE
    before, after = NUMBER.findall(old), NUMBER.findall(new)
    if len(before) != len(after) or NUMBER.sub("#", old) != NUMBER.sub("#", new):
        return False
    return all(abs(float(a) - float(b)) <= INVISIBLE_MOVE * size for a, b in zip(before, after, strict=True))
