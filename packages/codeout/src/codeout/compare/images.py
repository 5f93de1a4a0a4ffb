"""Raster images: open one, and measure how many pixels of two differ visibly.

The only module that knows Pillow, which `pip install codeout[images]` brings.
"""

from __future__ import annotations

import base64
import binascii
import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from codeout.errors import CodeoutError
from codeout.model.mime import PILLOW_FORMATS

if TYPE_CHECKING:
    from PIL.Image import Image

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

    Args:
        data: the image.
        formats: Pillow's names of those that it may try.

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
    first, *others = (
        band.point(lambda shade: 255 if shade > threshold else 0) for band in ImageChops.difference(old, new).split()
    )
    for band in others:
        first = ImageChops.lighter(first, band)
    visible: int = first.histogram()[255]
    return visible / (old.width * old.height)
