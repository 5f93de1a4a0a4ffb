"""What a worker's blocks write, from Python or from below it, as events in one order on their way to the parent.

Two files stand in place of stdout and stderr, so that output of C code and of child processes is caught as well.
Whatever is in those files is collected before each write from Python, which keeps the order. A process that a block
forks writes to the files, like any other child.
"""

from __future__ import annotations

import codecs
import ctypes
import io
import json
import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from threading import RLock
from typing import IO, Any

HEAD = 200_000  # characters of text that a block may print before its middle is cut
TAIL = 20_000  # characters that are kept from the end then
PROMPT = 1_000  # texts that are sent at once; later ones wait for company
PATIENCE = 0.05  # seconds that they wait at most
CAPTURED = {"stdout": ".stdout", "stderr": ".stderr"}  # files of the scratch folder


class EventLog:
    """The ordered events of a block. Any thread may write to it."""

    def __init__(self, replies: int, folder: Path) -> None:
        """Take the descriptor that leads to the parent, and the folder of the two files."""
        self._replies: int | None = replies
        self._files = {name: (folder / path).open("rb", buffering=0) for name, path in CAPTURED.items()}
        self._decoders = {name: codecs.getincrementaldecoder("utf8")("replace") for name in CAPTURED}
        self._libc = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
        self._lock = RLock()
        self.begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._before_fork, after_in_parent=self._lock.release, after_in_child=self._forked
            )

    def move(self, replies: int, folder: Path) -> None:
        """Go on in a copy of the process: with another way to the parent, and files that no other process reads."""
        self._replies = replies
        for file in self._files.values():
            file.close()
        redirect(folder, f"-{os.getpid()}")
        self._files = {
            name: (folder / f"{path}-{os.getpid()}").open("rb", buffering=0) for name, path in CAPTURED.items()
        }

    def leave(self) -> None:
        """Let go of the parent, in a copy of the process that sleeps: it must hear when the process itself is gone."""
        if self._replies is not None:
            os.close(self._replies)
        self._replies = None

    def begin(self) -> None:
        """Start counting anew, for the next block."""
        self._pending: deque[tuple[str, str]] = deque()
        self._tail: deque[tuple[str, str]] = deque()
        self._texts = self._sent = self._cut = 0
        self._last = time.monotonic()

    def send(self, **event: Any) -> None:
        """Pass on one event, after all text before it."""
        with self._lock:
            if self._replies is None:  # a forked process has nothing to tell, and shares the files' offsets
                return
            self.collect()
            self._flush()
            self._end_cut()
            self._put(event)

    def text(self, name: str, text: str) -> None:
        """Pass on text that Python code wrote, after what others wrote before it."""
        with self._lock:
            if self._replies is None:  # a forked process: its text is a child's
                os.write(1 if name == "stdout" else 2, text.encode("utf8", "replace"))
                return
            self.collect()
            self._add(name, text)

    def collect(self) -> None:
        """Take in what C code and child processes have written by now."""
        self._libc.fflush(None)
        for name, file in self._files.items():
            while raw := file.read(65_536):
                self._add(name, self._decoders[name].decode(raw))

    def _before_fork(self) -> None:
        self._lock.acquire()
        self._flush()

    def _forked(self) -> None:
        self._replies = None
        self._lock.release()

    def _add(self, name: str, text: str) -> None:
        redrawn = text.startswith("\r") and "\n" not in text
        if redrawn and self._pending and self._pending[-1][0] == name and _covers(text, self._pending[-1][1]):
            self._sent -= len(self._pending.pop()[1])
        room = max(HEAD - self._sent, 0)
        if room < len(text):
            self._keep_tail(name, text[room:])
            text = text[:room]
        self._sent += len(text)
        self._texts += 1
        if text:
            self._pending.append((name, text))
        if self._texts < PROMPT or time.monotonic() - self._last > PATIENCE:
            self._flush()

    def _keep_tail(self, name: str, text: str) -> None:
        self._cut += len(text)
        self._tail.append((name, text[-TAIL:]))
        kept = sum(len(part) for _, part in self._tail) if len(self._tail) % 100 == 0 else 0
        while kept > 2 * TAIL:
            kept -= len(self._tail.popleft()[1])

    def _end_cut(self) -> None:
        """Send the end of text whose middle was cut, and what was cut."""
        if not self._tail:
            return
        room, kept = TAIL, deque[tuple[str, str]]()
        while self._tail and room:
            name, text = self._tail.pop()
            kept.appendleft((name, text[-room:]))
            room -= len(kept[0][1])
        left_out = self._cut - (TAIL - room)
        if left_out:
            self._put({"stream": kept[0][0], "text": f"\n[… {left_out:,} characters left out …]\n"})
        for name, text in kept:
            self._put({"stream": name, "text": text})
        self._tail.clear()
        self._cut = 0

    def _flush(self) -> None:
        while self._pending:
            name, text = self._pending.popleft()
            self._put({"stream": name, "text": text})
        self._last = time.monotonic()

    def _put(self, event: Mapping[str, Any]) -> None:
        raw = memoryview(json.dumps(event).encode() + b"\n")
        while raw and self._replies is not None:
            raw = raw[os.write(self._replies, raw) :]


def _covers(new: str, old: str) -> bool:
    """Return whether a redrawn line hides the one before it."""
    return old.startswith("\r") and "\n" not in old and len(new) >= len(old)


class Captured(io.RawIOBase):
    """What stands below `sys.stdout` and `sys.stderr`."""

    def __init__(self, name: str, descriptor: int, log: EventLog) -> None:
        """Take the name that Python shows, the descriptor for code below Python, and where text goes."""
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


def capture(folder: Path) -> tuple[IO[bytes], EventLog]:
    """Move the pipes to the parent out of the way, and put files where stdout and stderr were."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    redirect(folder)
    log = EventLog(replies, folder)
    for descriptor, name in enumerate(CAPTURED, start=1):
        raw: Any = Captured(f"<{name}>", descriptor, log)
        setattr(sys, name, io.TextIOWrapper(raw, encoding="utf8", errors="backslashreplace", write_through=True))
    return requests, log


def redirect(folder: Path, suffix: str = "") -> None:
    """Put files where stdout and stderr are."""
    for descriptor, path in enumerate(CAPTURED.values(), start=1):
        file = os.open(folder / f"{path}{suffix}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
