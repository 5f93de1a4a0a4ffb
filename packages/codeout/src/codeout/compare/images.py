"""How different two pictures look: 0 for no visible difference, 1 for pictures of different things.

The only module that knows Pillow, which `pip install codeout[images]` brings.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from itertools import zip_longest
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ParseError, fromstring

from codeout.errors import CodeoutError
from codeout.model.mime import PILLOW_FORMATS, SVG

if TYPE_CHECKING:
    from PIL.Image import Image

INVISIBLE_MOVE = 0.005
"""Share of a picture's size by which a point may move unseen."""
DRAWN_ELEMENTS = ("path", "line", "polyline", "polygon", "rect", "circle", "ellipse", "image", "text", "use")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def picture_difference(mime: str, old: str, new: str) -> float:
    """Return how different two pictures of a MIME type look, from 0 to 1: SVG as text, other types in base64.

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
    return before.keys() == after.keys() and all(_is_close(before[name], after[name], size) for name in before)


def _visible_attributes(element: Element) -> dict[str, str]:
    """Return the attributes that can be seen, without the names of other elements in them."""
    attributes = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    names = {name for name, value in attributes.items() if name != "href" or not value.startswith("#")}
    names -= {"id", "class", "clip-path"}
    return {name: re.sub(r"url\(#[^()]*\)", "url", attributes[name]) for name in names}


def _is_close(old: str, new: str, size: float) -> bool:
    if old.startswith("data:image/") and new.startswith("data:image/"):
        return old == new or pixel_difference(old.partition(",")[2], new.partition(",")[2]) <= VISIBLE_SHADE
    before, after = NUMBER.findall(old), NUMBER.findall(new)
    if len(before) != len(after) or NUMBER.sub("#", old) != NUMBER.sub("#", new):
        return False
    return all(abs(float(a) - float(b)) <= INVISIBLE_MOVE * size for a, b in zip(before, after, strict=True))


VISIBLE_SHADE = 0.02
"""Share of full brightness by which a pixel must differ to be seen."""
MAX_COMPARED_PIXELS = 50_000_000
"""Larger images are taken to differ."""

_PILLOW_ERRORS = (
    *(OSError, ValueError, SyntaxError, IndexError, TypeError, OverflowError, EOFError),
    *(binascii.Error, struct.error, zlib.error, Warning),
)
"""What Pillow raises for malformed files, depending on the format."""


class MalformedImage(Exception):
    """Data that Pillow cannot open or decode as an image of the formats that it may try."""


@contextmanager
def open_image(data: str, formats: tuple[str, ...] = PILLOW_FORMATS) -> Iterator[Image]:
    """Open an image in base64, of which only the header has been read; the rest is decoded when it is asked for.

    Pillow may try only the formats that it calls by these names.

    Raises:
        MalformedImage: it is of another format or malformed, which may show only when it is decoded.
        CodeoutError: Pillow is not installed.
    """
    try:
        import PIL.Image
    except ImportError as problem:
        raise CodeoutError("comparing pictures needs Pillow; pip install codeout[images]") from problem
    try:
        content = base64.b64decode("".join(data.split()), validate=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            image = PIL.Image.open(io.BytesIO(content), formats=formats)
        yield image
    except (*_PILLOW_ERRORS, PIL.Image.DecompressionBombError) as problem:
        raise MalformedImage from problem


def pixel_difference(old: str, new: str) -> float:
    """Return the share of pixels that differ visibly between two images in base64; 1 if their sizes differ.

    Raises:
        CodeoutError: Pillow is not installed.
    """
    try:
        with open_image(old) as before, open_image(new) as after:
            if before.size != after.size or before.width * before.height > MAX_COMPARED_PIXELS:
                return 1.0
            return _share_of_visible(before.convert("RGBA"), after.convert("RGBA"))
    except MalformedImage:
        return 1.0


def _share_of_visible(old: Image, new: Image) -> float:
    from PIL import ImageChops

    threshold = 255 * VISIBLE_SHADE
    bands = ImageChops.difference(old, new).split()
    visible_bands = (band.point(lambda shade: 255 if shade > threshold else 0) for band in bands)
    visible: int = reduce(ImageChops.lighter, visible_bands).histogram()[255]
    return visible / (old.width * old.height)
