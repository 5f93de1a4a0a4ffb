"""What can go wrong, told apart by whose mistake it is. Every message is one sentence that begins with `path:line:`."""

from __future__ import annotations


class CodeoutError(Exception):
    """Anything that must stop a build; `str()` of it is what the author reads."""


class PageError(CodeoutError):
    """A mistake in a page or in the settings: an option that does not exist, a file that is not there."""


class BlockError(CodeoutError):
    """The code of a block did what its page did not expect: raised, did not raise, hung, or died."""
