"""Raster images: check that one is what its MIME type says, and measure how many pixels of two differ visibly.

The only module that needs Pillow, which `pip install codeout[images]` brings.
"""

from __future__ import annotations

import base64
import binascii
import io
import struct
import warnings
import zlib
from types import ModuleType
from typing import TYPE_CHECKING

from codeout.compare.limits import InvalidRecording, PictureBudget
from codeout.errors import CodeoutError
from codeout.model.mime import JPEG, MIME_TYPES_BY_NAME, PILLOW_FORMATS

if TYPE_CHECKING:
    from PIL.Image import Image

VISIBLE_SHADE = 0.02
"""Share of full brightness by which a pixel must differ to be seen."""
MAX_COMPARED_PIXELS = 50_000_000
"""Larger images are taken to differ."""
MAX_CHECKED_PIXELS = 4_000_000
"""Of one image in a recording."""
MAX_JPEG_SCANS = 100
"""An ordinary JPEG has at most ten, and decoding takes time for each."""
USUAL_JPEG_SCANS = 10

_JPEG_SCAN = b"\xff\xda"
_NOT_AN_IMAGE = (
    *(OSError, ValueError, SyntaxError, IndexError, TypeError, OverflowError, EOFError),
    *(binascii.Error, struct.error, zlib.error, Warning),
)
"""What Pillow raises for malformed files, depending on the format."""


def pixel_difference(old: str, new: str) -> float:
    """Return the share of pixels that differ visibly between two images in base64; 1 if their sizes differ.

    Raises:
        CodeoutError: Pillow is not installed.
    """
    pillow = _import_pillow()
    try:
        before, after = (_open_image(data, PILLOW_FORMATS) for data in (old, new))
        if before.size != after.size or before.width * before.height > MAX_COMPARED_PIXELS:
            return 1.0
        return _share_of_visible(pillow, before.convert("RGBA"), after.convert("RGBA"))
    except (*_NOT_AN_IMAGE, pillow.Image.DecompressionBombError):
        return 1.0


def check_image(mime: str, data: str, budget: PictureBudget) -> None:
    """Check that base64 holds an image of its MIME type that is small enough to decode.

    Args:
        mime: a type that Pillow reads.
        data: the image in base64.
        budget: of the run that shows it; the image is taken from it before it is decoded.

    Raises:
        InvalidRecording: it is another type, malformed, or too large.
        CodeoutError: Pillow is not installed.
    """
    pillow = _import_pillow()
    scans = _count_jpeg_scans(data) if mime == JPEG.name else 0
    if scans > MAX_JPEG_SCANS:
        raise InvalidRecording(f"{mime} with more than {MAX_JPEG_SCANS} scans")
    try:
        image = _open_image(data, (MIME_TYPES_BY_NAME[mime].pillow_format,))
        pixels = image.width * image.height
        if pixels > MAX_CHECKED_PIXELS:
            raise InvalidRecording(f"{mime} of more than {MAX_CHECKED_PIXELS:,} pixels")
        budget.take_pixels(pixels * max(1, scans // USUAL_JPEG_SCANS))
        image.load()
    except (*_NOT_AN_IMAGE, pillow.Image.DecompressionBombError) as problem:
        raise InvalidRecording(f"malformed {mime}") from problem


def _import_pillow() -> ModuleType:
    try:
        import PIL.Image
        import PIL.ImageChops
    except ImportError as problem:
        raise CodeoutError("comparing pictures needs Pillow; pip install codeout[images]") from problem
    return PIL


def _open_image(data: str, formats: tuple[str, ...]) -> Image:
    """Read the header of an image in base64."""
    from PIL import Image

    content = base64.b64decode("".join(data.split()), validate=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(content), formats=formats)


def _count_jpeg_scans(data: str) -> int:
    try:
        return base64.b64decode("".join(data.split()), validate=True).count(_JPEG_SCAN)
    except ValueError:
        return 0


def _share_of_visible(pillow: ModuleType, old: Image, new: Image) -> float:
    threshold = 255 * VISIBLE_SHADE
    first, *others = (
        band.point(lambda shade: 255 if shade > threshold else 0)
        for band in pillow.ImageChops.difference(old, new).split()
    )
    for band in others:
        first = pillow.ImageChops.lighter(first, band)
    visible: int = first.histogram()[255]
    return visible / (old.width * old.height)
