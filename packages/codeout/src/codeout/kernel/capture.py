"""Capture everything that blocks print, whether Python code, C code or a child process prints it."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from pathlib import Path
from threading import Lock, get_ident
from typing import IO, Any

from codeout.kernel.events import CHANNELS, EventLog

MAX_WAIT = 0.05  # seconds for which threads wait for another one to end the line that it has begun


def capture_output(folder: Path) -> tuple[IO[bytes], EventLog]:
    """Have files of a folder take the place of stdout and stderr, for Python and below it.

    What led to the parent is returned: its requests, and the log that sends events to it.
    """
    requests, connection = os.fdopen(os.dup(0), "rb"), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    log, turn = EventLog(connection, folder), LineTurn()
    for descriptor, name in enumerate(CHANNELS, start=1):
        raw: Any = CapturedStream(name, descriptor, log, turn)
        stream = getattr(sys, f"__{name}__")  # the same object, to which there may be other references
        stream.__init__(raw, encoding="utf8", errors="backslashreplace", write_through=True)
        setattr(sys, name, stream)
    return requests, log


class LineTurn:
    """Has threads print one line after the other, although `print` writes the end of a line separately.

    All text is passed on at once. So a thread that does something else in the middle of a line is not waited for.
    """

    def __init__(self) -> None:
        self._lock = Lock()  # held while a line has begun and has not ended
        self._thread: int | None = None  # the last one that began to write
        self._lines = 0  # that have ended
        self._waited_in_vain: set[int | None] = set()  # for these threads

    def begin(self) -> None:
        """Wait until no other thread is in the middle of a line."""
        thread, lines = get_ident(), self._lines
        while self._thread != thread and not self._lock.acquire(timeout=MAX_WAIT):
            if lines == self._lines:
                self._waited_in_vain.add(self._thread)
                break
            lines = self._lines
        self._thread = thread

    def end(self, *, is_line_end: bool) -> None:
        """Let other threads write after the end of a line; also before it, if they have waited for it in vain."""
        thread = get_ident()
        if self._thread != thread or not (is_line_end or thread in self._waited_in_vain):
            return
        if is_line_end:
            self._waited_in_vain.discard(thread)
        self._thread = None
        self._lines += 1
        with contextlib.suppress(RuntimeError):  # it was released when another thread that had not waited ended a line
            self._lock.release()


class CapturedStream(io.RawIOBase):
    """The bottom layer of `sys.stdout` or `sys.stderr`: passes text to the log."""

    def __init__(self, channel: str, descriptor: int, log: EventLog, turn: LineTurn) -> None:
        """Take the name of the channel, the descriptor for code below Python, the log, and what orders threads."""
        self.name = f"<{channel}>"
        self._channel, self._descriptor, self._log, self._turn = channel, descriptor, log, turn
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
        if text := self._decoder.decode(raw):
            self._turn.begin()
            self._log.add_text(self._channel, text)
            self._turn.end(is_line_end=text.endswith(("\n", "\r")))
        return len(raw)

    def flush(self) -> None:
        """Let other threads write, even in the middle of a line."""
        self._turn.end(is_line_end=True)
