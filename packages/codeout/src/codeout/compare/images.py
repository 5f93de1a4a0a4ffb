"""How different two pictures look: 0 for no difference that anybody sees, 1 for two pictures of different things."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from itertools import zip_longest
from xml.etree.ElementTree import Element, ParseError, fromstring

from codeout.compare.svg import FORMATS

MOVED = 0.005  # share of the picture's size by which a point may move unseen
SHADE = 0.02  # share of full brightness by which a pixel may differ unseen
LARGEST = 50_000_000  # pixels of a picture that is compared
DRAWN = ("path", "line", "polyline", "polygon", "rect", "circle", "ellipse", "image", "text", "use")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def difference(mime: str, old: str, new: str) -> float:
    """Return how different two pictures of the same type look, from 0 to 1.

    Args:
        mime: the type.
        old: SVG as text, any other type in base64.
        new: likewise.
    """
    if old == new:
        return 0.0
    return _svg(old, new) if mime == "image/svg+xml" else _pixels(old, new)


def _svg(old: str, new: str) -> float:
    """Return the share of drawn elements that differ: another shape, colour or word, or a point that has moved."""
    try:
        was, now = fromstring(old), fromstring(new)  # noqa: S314 (it comes from the site's own code)
    except ParseError:
        return 1.0
    size = max((float(number) for number in NUMBER.findall(was.get("viewBox", ""))), default=100.0)
    pairs = list(zip_longest(_drawn(was), _drawn(now)))
    differing = sum(a is None or b is None or not _same(a, b, size) for a, b in pairs)
    return differing / max(len(pairs), 1)


def _drawn(root: Element) -> Iterator[Element]:
    return (element for element in root.iter() if element.tag.rpartition("}")[2] in DRAWN)


def _same(old: Element, new: Element, size: float) -> bool:
    if old.tag != new.tag or "".join(old.itertext()).split() != "".join(new.itertext()).split():
        return False
    was, now = _looks(old), _looks(new)
    if was.keys() != now.keys():
        return False
    return all(_close(was[name], now[name], size) for name in was)


def _looks(element: Element) -> dict[str, str]:
    """Return the attributes that can be seen; names of other elements can't."""
    found = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    return {name: re.sub(r"url\(#[^()]*\)", "url", value) for name, value in found.items() if not _is_name(name, value)}


def _is_name(name: str, value: str) -> bool:
    return name in ("id", "class", "clip-path") or (name == "href" and value.startswith("#"))


def _close(old: str, new: str, size: float) -> bool:
    if old.startswith("data:image/") and new.startswith("data:image/"):
        return old == new or _pixels(old.partition(",")[2], new.partition(",")[2]) <= SHADE
    was, now = NUMBER.findall(old), NUMBER.findall(new)
    if len(was) != len(now) or NUMBER.sub("#", old) != NUMBER.sub("#", new):
        return False
    pairs = zip(was, now, strict=True)
    return all(abs(float(a) - float(b)) <= MOVED * size for a, b in pairs)


def _pixels(old: str, new: str) -> float:
    """Return the share of pixels that differ visibly; 1 if the sizes differ."""
    from PIL import Image, ImageChops  # it comes with matplotlib; without pictures it is not needed

    try:
        pair = [Image.open(io.BytesIO(base64.b64decode(data)), formats=[*FORMATS.values()]) for data in (old, new)]
        if pair[0].size != pair[1].size or pair[0].width * pair[0].height > LARGEST:
            return 1.0
        was, now = (picture.convert("RGBA") for picture in pair)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 1.0  # one of them is no picture
    bands = [
        band.point(lambda shade: 255 if shade > 255 * SHADE else 0) for band in ImageChops.difference(was, now).split()
    ]
    seen = bands[0]
    for band in bands[1:]:
        seen = ImageChops.lighter(seen, band)
    return seen.histogram()[255] / (was.size[0] * was.size[1])
