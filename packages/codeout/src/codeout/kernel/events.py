"""Send the parent what a block does: its events, in order, one JSON object per line, and within limits.

The events are typed in `codeout.run.protocol`, on the parent's side.
"""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import json
import os
import re
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import IO, Any

from codeout.kernel import scratch

CHANNELS = {"stdout": scratch.STDOUT, "stderr": scratch.STDERR}  # in the order of their descriptors, 1 and 2
READ_SIZE = 65_536  # bytes
MAX_PROMPT_TEXTS = 1_000  # texts that are sent at once; later ones are collected
MAX_DELAY = 0.05  # seconds for which they are collected
MAX_HEAD = 200_000  # characters of a text
MAX_TAIL = 20_000  # characters at its end that are kept as well if it is longer
MAX_MESSAGE = 10_000  # characters of an exception's message, which also goes to the terminal
MAX_DATA = 20_000_000  # characters of a picture in base64, or of HTML, of which no part would do
MAX_DISPLAYS = 1_000  # values, figures and displayed objects of a block
TEXT_TYPES = ("text/plain", "text/markdown", "text/latex")


class EventLog:
    """The events of the block that runs. Any thread may add to it.

    Text of C code and of child processes arrives in two files. It is collected before each event and each text that
    Python code writes, which keeps the order. A process that a block forks writes to these files, too.
    """

    def __init__(self, connection: int, folder: Path) -> None:
        """Send events to a descriptor, and let the descriptors of stdout and stderr lead to files of a folder."""
        self._connection: int | None = connection
        self._inherited: int | None = None  # the descriptor in a forked process, which must not write to it
        self._files = _redirect(folder)
        self._decoders = {name: codecs.getincrementaldecoder("utf8")("replace") for name in CHANNELS}
        self._libc = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
        self._lock = RLock()
        self.buffer = TextBuffer(lambda name, text: self._write("stream", name=name, text=text))
        if hasattr(os, "register_at_fork"):
            release, disown = self._lock.release, self._after_fork_in_child
            os.register_at_fork(before=self._before_fork, after_in_parent=release, after_in_child=disown)

    def reconnect(self, connection: int, folder: Path) -> None:
        """Continue in a resumed process, with its own connection and its own files."""
        self._connection = connection
        for file in self._files.values():
            file.close()
        self._files = _redirect(folder, f"-{os.getpid()}")

    def adopt(self, connection: int) -> None:
        """Send events to a descriptor, in a fork whose parent passes them on."""
        self._connection = connection

    def pass_on(self, line: bytes) -> None:
        """Send an event that a fork has sent."""
        with self._lock:
            self._write_all(line)

    def disconnect(self) -> None:
        """Close the inherited connection, in a checkpoint: the parent must notice when the kernel itself ends."""
        if self._inherited is not None:
            os.close(self._inherited)
        self._inherited = None

    def send(self, event: str, **fields: Any) -> None:
        """Send an event, after all text that was written before it."""
        _flush_replaced_streams()
        with self._lock:
            if self._connection is None:  # a forked process sends no events, and shares the positions in the files
                return
            self._collect()
            self.buffer.finish()
            self._write(event, **fields)

    def add_text(self, name: str, text: str) -> None:
        """Add text that Python code wrote to the channel `name`, after what others wrote before it."""
        with self._lock:
            if self._connection is None:  # a forked process: its text arrives in the files, like that of any child
                os.write(1 if name == "stdout" else 2, text.encode("utf8", "replace"))
                return
            self._collect()
            self.buffer.add(name, text)

    def _collect(self) -> None:
        """Add the text that C code and child processes have written by now."""
        self._libc.fflush(None)
        for name, file in self._files.items():
            while raw := file.read(READ_SIZE):
                self.buffer.add(name, self._decoders[name].decode(raw))

    def _before_fork(self) -> None:
        self._lock.acquire()
        self.buffer.flush()

    def _after_fork_in_child(self) -> None:
        self._inherited, self._connection = self._connection, None
        self._lock.release()

    def _write(self, event: str, **fields: Any) -> None:
        self._write_all(encode_event(event, fields) + b"\n")

    def _write_all(self, line: bytes) -> None:
        left = memoryview(line)
        while left and self._connection is not None:
            left = left[os.write(self._connection, left) :]


def _redirect(folder: Path, suffix: str = "") -> dict[str, IO[bytes]]:
    """Let the descriptors of stdout and stderr lead to files of a folder; return these, open for reading."""
    paths = {name: folder / f"{file}{suffix}" for name, file in CHANNELS.items()}
    for descriptor, path in enumerate(paths.values(), start=1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    return {name: path.open("rb", buffering=0) for name, path in paths.items()}


def _flush_replaced_streams() -> None:
    """Flush what a block has put in place of a stream, as Python does when it exits: text may wait in its buffer."""
    for name in CHANNELS:
        stream: Any = getattr(sys, name, None)
        if stream is not getattr(sys, f"__{name}__"):
            with contextlib.suppress(Exception):  # it may be anything
                stream.flush()


def encode_event(event: str, fields: dict[str, Any]) -> bytes:
    """Return an event as JSON. Lone surrogates, which JSON in UTF-8 can't hold, become their escapes."""
    line = json.dumps({"event": event, **fields}, ensure_ascii=False)
    try:
        return line.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", lambda match: f"\\\\u{ord(match[0]):04x}", line).encode()


class TextBuffer:
    """The text of a block on its way to the parent: all of it, or its head and its tail."""

    def __init__(self, send: Callable[[str, str], None]) -> None:
        """Take a function that sends text to a channel, by its name."""
        self._send = send
        self.clear()

    def clear(self) -> None:
        """Forget all text and start to count again."""
        self._pending: deque[tuple[str, str]] = deque()
        self._tail: deque[tuple[str, str]] = deque()
        self._texts = self._head_size = self._cut_size = self._tail_size = 0
        self._last_flush = time.monotonic()

    def add(self, channel: str, text: str) -> None:
        """Add text that was written to a channel, "stdout" or "stderr"."""
        self._drop_redrawn(channel, text)
        room = max(MAX_HEAD - self._head_size, 0)
        if room < len(text):
            self._add_to_tail(channel, text[room:])
            text = text[:room]
        self._head_size += len(text)
        self._texts += 1
        if text:
            self._pending.append((channel, text))
        if self._texts < MAX_PROMPT_TEXTS or time.monotonic() - self._last_flush > MAX_DELAY:
            self.flush()

    def flush(self) -> None:
        """Send what has been collected of the head."""
        while self._pending:
            self._send(*self._pending.popleft())
        self._last_flush = time.monotonic()

    def finish(self) -> None:
        """Send everything: the head, how many characters were cut, and the tail."""
        self.flush()
        room, tail = MAX_TAIL, deque[tuple[str, str]]()
        while self._tail and room:
            channel, text = self._tail.pop()
            tail.appendleft((channel, text[-room:]))
            room -= len(tail[0][1])
        if left_out := self._cut_size - (MAX_TAIL - room):
            self._send(tail[0][0], f"\n[… {left_out:,} characters left out …]\n")
        for channel, text in tail:
            self._send(channel, text)
        self._tail.clear()
        self._tail_size = self._cut_size = 0

    def _drop_redrawn(self, channel: str, text: str) -> None:
        """Drop the last text that was collected, if it is a line that `text` draws again, like a progress bar."""
        last_channel, last = self._pending[-1] if self._pending else ("", "")
        are_lines = all(each.startswith("\r") and "\n" not in each for each in (text, last))
        if last_channel == channel and are_lines and len(text) >= len(last):
            self._head_size -= len(self._pending.pop()[1])

    def _add_to_tail(self, channel: str, text: str) -> None:
        self._cut_size += len(text)
        self._tail.append((channel, text[-MAX_TAIL:]))
        self._tail_size += len(self._tail[-1][1])
        while self._tail_size - len(self._tail[0][1]) >= MAX_TAIL:
            self._tail_size -= len(self._tail.popleft()[1])


def cut(text: str, head: int = MAX_HEAD, tail: int = MAX_TAIL) -> str:
    """Return a text, or its beginning and its end with a note between them."""
    left_out = len(text) - head - tail
    if left_out <= 0:
        return text
    return f"{text[:head]}\n[… {left_out:,} characters left out …]\n{text[-tail:] if tail else ''}"


def cut_bundle(data: dict[str, str]) -> dict[str, str]:
    """Return a MIME bundle whose texts are cut, without other data that are too large."""
    parts = {mime: cut(part) if mime in TEXT_TYPES else part for mime, part in data.items()}
    large = {mime: len(part) for mime, part in parts.items() if len(part) > MAX_DATA}
    lines = [f"[{mime} of {size:,} characters left out; the limit is {MAX_DATA:,}]" for mime, size in large.items()]
    rest = {mime: part for mime, part in parts.items() if mime not in large}
    if lines and "text/plain" in rest:
        lines.append(rest["text/plain"])
    return {**rest, "text/plain": "\n".join(lines)} if lines else parts
