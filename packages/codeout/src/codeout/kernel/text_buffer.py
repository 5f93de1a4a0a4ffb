"""Limit the text that a block prints, and send much of it in few events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from codeout.kernel.limits import MAX_HEAD, MAX_TAIL

MAX_PROMPT_TEXTS = 1_000  # texts that are sent at once; later ones are collected
MAX_DELAY = 0.05  # seconds for which they are collected


class TextBuffer:
    """The text of a block on its way to the parent: all of it, or its head and its tail."""

    def __init__(self, send: Callable[[str, str], None]) -> None:
        """Take a function that sends text, and is called with the name of the channel and the text."""
        self._send = send
        self.clear()

    def clear(self) -> None:
        """Forget all text and start to count again."""
        self._pending: deque[tuple[str, str]] = deque()
        self._tail: deque[tuple[str, str]] = deque()
        self._tail_size = 0
        self._texts = self._head_size = self._cut_size = 0
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
        if self._pending and self._pending[-1][0] == channel and _redraws(text, self._pending[-1][1]):
            self._head_size -= len(self._pending.pop()[1])

    def _add_to_tail(self, channel: str, text: str) -> None:
        self._cut_size += len(text)
        self._tail.append((channel, text[-MAX_TAIL:]))
        self._tail_size += len(self._tail[-1][1])
        while self._tail_size - len(self._tail[0][1]) >= MAX_TAIL:
            self._tail_size -= len(self._tail.popleft()[1])


def _redraws(new: str, old: str) -> bool:
    """Return whether a line that begins with a carriage return covers all of the line before it."""
    return all(text.startswith("\r") and "\n" not in text for text in (new, old)) and len(new) >= len(old)
