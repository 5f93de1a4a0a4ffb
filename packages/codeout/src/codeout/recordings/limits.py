"""What a recording may hold and cost, raster images included, and the error that rejects one."""

from __future__ import annotations

import base64
import re

import msgspec

from codeout.compare.pictures import MalformedImage, open_image
from codeout.model.mime import JPEG, MIME_TYPES_BY_NAME

MAX_PIXELS = 20_000_000
"""Pixels of all pictures of a run together; decoding them takes about a second."""
MIN_PIXELS = 10_000
"""What even the smallest picture counts as, since opening a file takes time, too."""
MAX_ELEMENTS = 200_000
"""SVG elements of all pictures of a run together."""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Characters that a terminal obeys, or that Markdown's own placeholders are made of."""


class InvalidRecording(Exception):
    """A run from another machine that may not be shown; the message says why, but not in which file it is."""


class PictureBudget(msgspec.Struct):
    """What is left for the pictures of one run."""

    pixels: int = MAX_PIXELS
    """Pixels that may still be decoded."""
    elements: int = MAX_ELEMENTS
    """SVG elements that may still be drawn."""

    def take_pixels(self, pixels: int) -> None:
        """Take a picture's pixels from the budget, before it is decoded.

        Raises:
            InvalidRecording: too few are left.
        """
        self.pixels -= max(pixels, MIN_PIXELS)
        if self.pixels < 0:
            raise InvalidRecording(f"its pictures exceed {MAX_PIXELS:,} pixels in total")

    def take_elements(self, elements: int) -> None:
        """Take a drawing's elements from the budget.

        Raises:
            InvalidRecording: too few are left.
        """
        self.elements -= elements
        if self.elements < 0:
            raise InvalidRecording(f"its SVG pictures exceed {MAX_ELEMENTS:,} elements in total")


MAX_IMAGE_PIXELS = 4_000_000
"""Of one image."""
MAX_JPEG_SCANS = 100
"""An ordinary JPEG has at most ten, and decoding takes time for each."""
USUAL_JPEG_SCANS = 10

_JPEG_SCAN = b"\xff\xda"


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
    scans = _count_jpeg_scans(data) if mime == JPEG.name else 0
    if scans > MAX_JPEG_SCANS:
        raise InvalidRecording(f"{mime} with more than {MAX_JPEG_SCANS} scans")
    try:
        with open_image(data, (MIME_TYPES_BY_NAME[mime].pillow_format,)) as image:
            pixels = image.width * image.height
            if pixels > MAX_IMAGE_PIXELS:
                raise InvalidRecording(f"{mime} of more than {MAX_IMAGE_PIXELS:,} pixels")
            budget.take_pixels(pixels * max(1, scans // USUAL_JPEG_SCANS))
            image.load()
    except MalformedImage as problem:
        raise InvalidRecording(f"malformed {mime}") from problem


def _count_jpeg_scans(data: str) -> int:
    try:
        return base64.b64decode("".join(data.split()), validate=True).count(_JPEG_SCAN)
    except ValueError:
        return 0
