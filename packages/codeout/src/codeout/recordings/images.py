"""Raster images from another machine: each is what its MIME type says, and small enough to decode."""

from __future__ import annotations

import base64

from codeout.compare.images import MalformedImage, open_image
from codeout.model.mime import JPEG, MIME_TYPES_BY_NAME
from codeout.recordings.limits import InvalidRecording, PictureBudget

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
