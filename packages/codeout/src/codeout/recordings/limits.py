"""What a recording may hold and cost, and the error that rejects one."""

from __future__ import annotations

import re

import msgspec

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
