"""Says in the log what is running: never silent for more than ten seconds while work goes on."""

from __future__ import annotations

import logging
import time

QUIET = 10.0  # seconds after which a running block says that it is still there

log = logging.getLogger("mkdocs.plugins.codeout")  # shown by MkDocs; anywhere else an ordinary logger


class Progress:
    """Says in the log, now and then, that a block is at work, and the last that it printed."""

    def __init__(self, what: str) -> None:
        """Take what is at work, in words."""
        self._what = what
        self._start = self._said = time.monotonic()
        self._last = ""

    def __call__(self, text: str) -> None:
        """Take in what was printed, if anything; say so if it is time."""
        if words := text.strip():
            self._last = words.replace("\r", "\n").splitlines()[-1]
        if time.monotonic() - self._said >= QUIET:
            self._said = time.monotonic()
            log.info("codeout: %s, %.0f s: %s", self._what, self._said - self._start, self._last)
