"""What a worker's blocks write, from Python or from below it, as events in one order on their way to the parent.

Two files stand in place of stdout and stderr, so that output of C code and of child processes is caught as well.
Whatever is in those files is collected before each write from Python, which keeps the order.
"""

from __future__ import annotations

import codecs
import ctypes
import io
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

HEAD = 200_000  # characters of text that a block may print before its middle is cut
TAIL = 20_000  # characters that are kept from the end then
PROMPT = 1_000  # texts that are sent at once; later ones wait for company
PATIENCE = 0.05  # seconds that they wait at most
CAPTURED = {"stdout": ".stdout", "stderr": ".stderr"}  # files of the scratch folder


class Log:
    """The ordered events of a block, on their way to the parent."""

    def __init__(self, replies: IO[bytes], folder: Path) -> None:
        self._replies = replies
        self._files = {name: (folder / path).open("rb") for name, path in CAPTURED.items()}
        self._decoders = {name: codecs.getincrementaldecoder("utf8")("replace") for name in CAPTURED}
        self._libc = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
        self.begin()

    def begin(self) -> None:
        """Start counting anew, for the next block."""
        self._pending: list[tuple[str, str]] = []
        self._texts = self._sent = self._cut = 0
        self._tail: list[tuple[str, str]] = []
        self._last = time.monotonic()

    def send(self, **event: Any) -> None:
        """Pass on one event, after all text before it."""
        self.collect()
        self._flush()
        self._put(event)

    def text(self, name: str, text: str) -> None:
        """Pass on text that Python code wrote, after what others wrote before it."""
        self.collect()
        self._add(name, text)

    def collect(self) -> None:
        """Take in what C code and child processes have written by now."""
        self._libc.fflush(None)
        for name, file in self._files.items():
            while raw := file.read(65_536):
                self._add(name, self._decoders[name].decode(raw))

    def finish(self) -> None:
        """Send the end of an output whose middle was cut."""
        self.collect()
        self._flush()
        if self._tail:
            kept = "".join(text for _, text in self._tail)[-TAIL:]
            self._put(
                {"stream": self._tail[-1][0], "text": f"\n[… {self._cut - len(kept):,} characters left out …]\n{kept}"}
            )

    def _add(self, name: str, text: str) -> None:
        if not text:
            return
        room = HEAD - self._sent
        if room < len(text):
            self._cut += len(text) - max(room, 0)
            self._tail.append((name, text[max(room, 0) :][-TAIL:]))
            if len(self._tail) > PROMPT:
                self._tail = [(name, "".join(part for _, part in self._tail)[-TAIL:])]
            text = text[: max(room, 0)]
        self._sent += len(text)
        self._pending.append((name, text))
        self._texts += 1
        if self._texts < PROMPT or time.monotonic() - self._last > PATIENCE:
            self._flush()

    def _flush(self) -> None:
        for name, text in self._pending:
            if text:
                self._put({"stream": name, "text": text})
        self._pending.clear()
        self._last = time.monotonic()

    def _put(self, event: Mapping[str, Any]) -> None:
        self._replies.write(json.dumps(event).encode() + b"\n")
        self._replies.flush()


class Captured(io.RawIOBase):
    """What stands below `sys.stdout` and `sys.stderr`."""

    def __init__(self, name: str, descriptor: int, log: Log) -> None:
        self.name = name
        self._descriptor = descriptor
        self._log = log
        self._decoder = codecs.getincrementaldecoder("utf8")("replace")

    def writable(self) -> bool:
        """Return that one may write."""
        return True

    def fileno(self) -> int:
        """Return the descriptor, for code that writes below Python."""
        return self._descriptor

    def write(self, content: Any) -> int:
        """Pass text on to the log."""
        raw = bytes(content)
        self._log.text("stdout" if self._descriptor == 1 else "stderr", self._decoder.decode(raw))
        return len(raw)


def capture(folder: Path) -> tuple[IO[bytes], Log]:
    """Move the pipes to the parent out of the way, and put files where stdout and stderr were."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for descriptor, path in enumerate(CAPTURED.values(), start=1):
        file = os.open(folder / path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    log = Log(replies, folder)
    for descriptor, name in enumerate(CAPTURED, start=1):
        raw: Any = Captured(f"<{name}>", descriptor, log)
        setattr(sys, name, io.TextIOWrapper(raw, encoding="utf8", errors="backslashreplace", write_through=True))
    return requests, log
