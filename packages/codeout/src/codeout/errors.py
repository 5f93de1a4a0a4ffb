"""Exceptions that stop a build, by whose mistake it is, help for wording their messages, and the log of all others.

Every message begins with `path:line:`, says what is wrong and, where it can, what to do.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

log = logging.getLogger("mkdocs.plugins.codeout")
"""MkDocs shows it; anywhere else it is an ordinary logger."""


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


def raise_all(problems: Sequence[CodeoutError]) -> None:
    """Raise all errors as one, if there are any.

    Raises:
        CodeoutError: of the kind of the first, with all messages.
    """
    if problems:
        kind = BlockError if isinstance(problems[0], BlockError) else PageError
        raise kind("\n\n".join(dict.fromkeys(str(problem) for problem in problems)))
