"""What a recording may hold and cost, raster images included, and the error that rejects one."""

from __future__ import annotations

import base64
import re

import msgspec

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


def require(is_valid: object, problem: str) -> None:
    """Reject a run from another machine if something in it is not valid.

    Raises:
        InvalidRecording: it is not.
    """
    if not is_valid:
        raise InvalidRecording(problem)


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
        require(self.pixels >= 0, f"its pictures exceed {MAX_PIXELS:,} pixels in total")

    def take_elements(self, elements: int) -> None:
        """Take a drawing's elements from the budget.

        Raises:
            InvalidRecording: too few are left.
        """
        self.elements -= elements
        require(self.elements >= 0, f"its SVG pictures exceed {MAX_ELEMENTS:,} elements in total")


MAX_IMAGE_PIXELS = 4_000_000
"""Of one image."""
MAX_JPEG_SCANS = 100
"""An ordinary JPEG has at most ten, and decoding takes time for each."""
USUAL_JPEG_SCANS = 10


def check_image(mime: str, data: str, budget: PictureBudget) -> None:
    """Check that base64 holds an image of its MIME type, which Pillow reads, that is small enough to decode.

    It is taken from the budget of its run before it is decoded.

    Raises:
        InvalidRecording: it is another type, malformed, or too large.
        CodeoutError: Pillow is not installed.
    """
    from codeout.compare.images import MalformedImage, open_image  # here, since most sites have no recordings

    scans = _count_jpeg_scans(data) if mime == JPEG.name else 0
    require(scans <= MAX_JPEG_SCANS, f"{mime} with more than {MAX_JPEG_SCANS} scans")
    try:
        with open_image(data, (MIME_TYPES_BY_NAME[mime].pillow_format,)) as image:
            pixels = image.width * image.height
            require(pixels <= MAX_IMAGE_PIXELS, f"{mime} of more than {MAX_IMAGE_PIXELS:,} pixels")
            budget.take_pixels(pixels * max(1, scans // USUAL_JPEG_SCANS))
            image.load()
    except MalformedImage as problem:
        raise InvalidRecording(f"malformed {mime}") from problem


def _count_jpeg_scans(data: str) -> int:
    try:
        return base64.b64decode("".join(data.split()), validate=True).count(b"\xff\xda")
    except ValueError:
        return 0
