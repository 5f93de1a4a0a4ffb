"""What is running now, and how a terminal or a log shows it: never silent for long while work goes on."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Any

from codeout.model.outputs import Stream
from codeout.model.terminal import terminal

if TYPE_CHECKING:
    from rich.table import Table

QUIET = 10.0  # seconds after which a log says that a session is still at work
SAID = 4000  # characters of what a block has printed that are kept to be shown

log = logging.getLogger("mkdocs.plugins.codeout")  # shown by MkDocs; anywhere else an ordinary logger


@dataclass(frozen=True, slots=True)
class SessionProgress:
    """Where the work on a session is."""

    session: str
    block: int  # the one that runs now, from 1
    blocks: int
    start: float  # `time.monotonic()` when the work began
    before: float | None = None  # seconds that the session took last time
    text: str = ""  # the end of what the block has printed

    def words(self, now: float) -> str:
        """Return the numbers of a progress line, at a time of `time.monotonic()`."""
        seconds = now - self.start
        about = f" of about {self.before:.0f} s" if self.before and seconds < self.before else " s"
        return f"block {self.block} of {self.blocks}, {seconds:.0f}{about}"

    def screen(self) -> str:
        """Return what the block has printed, as a terminal would show it."""
        return "".join(stream.text for stream in terminal([Stream("stdout", self.text)]))

    def last(self) -> str:
        """Return the last line that the block has printed."""
        return next((line for line in reversed(self.screen().splitlines()) if line.strip()), "")


class ProgressBoard:
    """The sessions that are running. Any thread may write to it, and read it."""

    def __init__(self) -> None:
        """Start empty."""
        self._now: dict[str, SessionProgress] = {}
        self._changed = Condition()
        self._version = 0

    def put(self, status: SessionProgress) -> None:
        """Say where the work on a session is."""
        with self._changed:
            self._now[status.session] = status
            self._tell()

    def remove(self, session: str) -> None:
        """Say that the work on a session has ended."""
        with self._changed:
            self._now.pop(session, None)
            self._tell()

    def now(self) -> tuple[SessionProgress, ...]:
        """Return where the work is, the session that began first ahead."""
        with self._changed:
            return tuple(self._now.values())

    def wait(self, seen: int, seconds: float) -> int:
        """Return the number of changes so far, as soon as it is not `seen`; after some seconds in any case."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen, seconds)
            return self._version

    def _tell(self) -> None:
        self._version += 1
        self._changed.notify_all()


@contextmanager
def shown(board: ProgressBoard) -> Iterator[None]:
    """Show what is running: as lines that redraw themselves on a terminal, as a plain line now and then in a log."""
    with _on_terminal(board) if sys.stderr.isatty() else _in_log(board):
        yield


@contextmanager
def _in_log(board: ProgressBoard) -> Iterator[None]:
    over = Event()

    def watch() -> None:
        while not over.wait(QUIET):
            for status in board.now():
                said = status.last()
                log.info("codeout: %s: %s%s", status.session, status.words(time.monotonic()), said and f": {said}")

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _on_terminal(board: ProgressBoard) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live

    live = Live(
        get_renderable=lambda: _lines(board.now()), console=Console(stderr=True), refresh_per_second=4, transient=True
    )
    before = sys.stderr
    with live:  # it stands in for `sys.stderr`: what the log says must go through it, to stand above the lines
        handlers = [handler for handler in _handlers() if handler.stream is before]
        for handler in handlers:
            handler.setStream(sys.stderr)
        try:
            yield
        finally:
            for handler in handlers:
                handler.setStream(before)


def _handlers() -> Iterator[logging.StreamHandler[Any]]:
    """Yield what writes the messages of our log to a stream."""
    logger: logging.Logger | None = log
    while logger:
        yield from (handler for handler in logger.handlers if isinstance(handler, logging.StreamHandler))
        logger = logger.parent if logger.propagate else None


def _lines(running: tuple[SessionProgress, ...]) -> Table:
    """Return a line for each running session: a bar if it is known how long it takes, and what it printed last."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for status in running:
        now = time.monotonic()
        done = min(now - status.start, status.before or 0)
        bar = ProgressBar(total=status.before or None, completed=done, width=16, pulse=not status.before)
        table.add_row(Text(status.session), bar, Text(status.words(now)), Text(status.last(), style="dim"))
    return table
