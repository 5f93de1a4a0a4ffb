"""Exceptions that stop a build, by whose mistake it is, and help for wording their messages.

Every message begins with `path:line:`, says what is wrong and, where it can, what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CodeoutError(Exception):
    """Stop the build; `str()` of it is what the author reads."""


class PageError(CodeoutError):
    """A mistake in a page or in the settings, such as an unknown option or a missing file."""


class BlockError(CodeoutError):
    """A block did what its page does not expect: it raised, did not raise, hung, or died."""


def suggest(name: str, choices: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the choice that looks most like it, or else all of them.

    >>> suggest("prelud", ["paths", "prelude"])
    "; did you mean 'prelude'?"
    >>> suggest("colour", ["paths", "prelude"])
    '; available: paths, prelude'
    """
    available = sorted(choices)
    if similar := get_close_matches(name, available, n=1):
        return f"; did you mean {similar[0]!r}?"
    return f"; available: {', '.join(available) or 'none'}"
