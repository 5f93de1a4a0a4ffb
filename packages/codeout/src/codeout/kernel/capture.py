"""Capture everything that blocks print, whether Python code, C code or a child process prints it."""

from __future__ import annotations

import codecs
import io
import os
import sys
from pathlib import Path
from typing import IO, Any

from codeout.kernel.events import CHANNELS, EventLog, redirect


def capture_output(folder: Path) -> tuple[IO[bytes], EventLog]:
    """Replace stdin, stdout and stderr, which lead to the parent, on both the level of Python and of the system.

    Args:
        folder: where the files are created that take the place of stdout and stderr.

    Returns:
        The requests of the parent, and the log that sends events to it.
    """
    requests, connection = os.fdopen(os.dup(0), "rb"), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    redirect(folder)
    log = EventLog(connection, folder)
    for descriptor, name in enumerate(CHANNELS, start=1):
        raw: Any = CapturedStream(name, descriptor, log)
        setattr(sys, name, io.TextIOWrapper(raw, encoding="utf8", errors="backslashreplace", write_through=True))
    return requests, log


class CapturedStream(io.RawIOBase):
    """The bottom layer of `sys.stdout` or `sys.stderr`: passes text to the log."""

    def __init__(self, channel: str, descriptor: int, log: EventLog) -> None:
        """Take the name of the channel, the descriptor for code below Python, and the log."""
        self.name = f"<{channel}>"
        self._channel = channel
        self._descriptor = descriptor
        self._log = log
        self._decoder = codecs.getincrementaldecoder("utf8")("replace")

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor, for code that writes below Python."""
        return self._descriptor

    def write(self, content: Any) -> int:
        """Pass text to the log; return the number of bytes."""
        raw = bytes(content)
        self._log.add_text(self._channel, self._decoder.decode(raw))
        return len(raw)
