"""Show which sessions are running, as live lines on a terminal or as an occasional line in a log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

import msgspec

from codeout.errors import log
from codeout.model.outputs import Stream
from codeout.model.terminal import render_terminal

if TYPE_CHECKING:
    from rich.table import Table

LOG_INTERVAL = 10.0  # seconds between two lines of a log about the same session
MAX_TEXT = 4000  # characters at the end of a block's printed text that progress keeps


class SessionProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a running session has come."""

    session: str
    """The session's name."""
    block: int
    """The block that is running, counted from 1; 0 for the prelude."""
    blocks: int
    """The number of blocks in the session."""
    start: float
    """`time.monotonic()` when the session began."""
    expected_seconds: float | None = None
    """How long the session took last time."""
    text: str = ""
    """The end of what the running block has printed."""

    def describe(self, now: float) -> str:
        """Return the numbers of a progress line at `now`, a time of `time.monotonic()`."""
        seconds, expected = now - self.start, self.expected_seconds
        unit = f" of about {expected:.0f} s" if expected and seconds < expected else " s"
        running = f"block {self.block} of {self.blocks}" if self.block else f"prelude of {self.blocks} blocks"
        return f"{running}, {seconds:.0f}{unit}"

    def rendered_text(self) -> str:
        """Return the printed text as a terminal would show it."""
        return "".join(stream.text for stream in render_terminal([Stream("stdout", self.text)]))

    def last_line(self) -> str:
        """Return the last line of the printed text that is not blank."""
        return next((line for line in reversed(self.rendered_text().splitlines()) if line.strip()), "")


class ProgressBoard:
    """The progress of all running sessions. Any thread may use it.

    `_lock` guards the dictionary, and is never held while others are called.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        """Start with no session running; `on_change` is called after each update."""
        self._on_change = on_change
        self._progress: dict[str, SessionProgress] = {}
        self._lock = Lock()

    def update(self, progress: SessionProgress) -> None:
        """Replace the progress of a session, or add the session."""
        with self._lock:
            self._progress[progress.session] = progress
        self._on_change()

    def remove(self, session: str) -> None:
        """Remove a session that has ended."""
        with self._lock:
            self._progress.pop(session, None)
        self._on_change()

    def running(self) -> tuple[SessionProgress, ...]:
        """Return the progress of each running session, the one that began first ahead."""
        with self._lock:
            return tuple(self._progress.values())

    def describe_others(self, session: str) -> str:
        """Return the end of a message: which sessions besides one are still running."""
        others = [progress.session for progress in self.running() if progress.session != session]
        return f"; still running: {', '.join(others)}" if others else ""


@contextmanager
def show_progress(board: ProgressBoard) -> Iterator[None]:
    """Show the running sessions on stderr while the body of the `with` statement runs."""
    with _live_lines(board) if sys.stderr.isatty() else _log_lines(board):
        yield


@contextmanager
def _log_lines(board: ProgressBoard) -> Iterator[None]:
    """Log a line for each running session from time to time."""
    stop = Event()

    def write_lines() -> None:
        while not stop.wait(LOG_INTERVAL):
            for progress in board.running():
                last_line = progress.last_line()
                text = f": {last_line}" if last_line else ""
                log.info("codeout: %s: %s%s", progress.session, progress.describe(time.monotonic()), text)

    thread = Thread(target=write_lines, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _live_lines(board: ProgressBoard) -> Iterator[None]:
    """Redraw a line for each running session on the terminal, below what is logged."""
    from rich.console import Console
    from rich.live import Live

    live = Live(
        get_renderable=lambda: _table(board.running()),
        console=Console(stderr=True),
        refresh_per_second=4,
        transient=True,
    )
    terminal = sys.stderr
    with live:  # replaces `sys.stderr`; log messages must go through the replacement to appear above the lines
        handlers = [handler for handler in _stream_handlers() if handler.stream is terminal]
        for handler in handlers:
            handler.setStream(sys.stderr)
        try:
            yield
        finally:
            for handler in handlers:
                handler.setStream(terminal)


def _stream_handlers() -> Iterator[logging.StreamHandler[Any]]:
    """Yield the handlers that write messages of `log` to a stream."""
    logger: logging.Logger | None = log
    while logger:
        yield from (handler for handler in logger.handlers if isinstance(handler, logging.StreamHandler))
        logger = logger.parent if logger.propagate else None


def _table(running: tuple[SessionProgress, ...]) -> Table:
    """Return a row for each session: its name, a bar if its duration is known, the numbers, the last printed line."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for progress in running:
        now, expected = time.monotonic(), progress.expected_seconds
        completed = min(now - progress.start, expected or 0)
        bar = ProgressBar(total=expected or None, completed=completed, width=16, pulse=not expected)
        last_line = Text(progress.last_line(), style="dim")
        table.add_row(Text(progress.session), bar, Text(progress.describe(now)), last_line)
    return table


class Ticker:
    """Tells the board how far a session has come."""

    def __init__(self, board: ProgressBoard, progress: SessionProgress) -> None:
        """Show that the session begins."""
        self._board, self._progress = board, progress
        board.update(progress)

    def begin(self, number: int) -> None:
        """Show that a block begins, by its number from 1."""
        self._progress = msgspec.structs.replace(self._progress, block=number, text="")
        self._board.update(self._progress)

    def __call__(self, text: str) -> None:
        """Show more of what the block prints."""
        if text:
            self._progress = msgspec.structs.replace(self._progress, text=(self._progress.text + text)[-MAX_TEXT:])
            self._board.update(self._progress)
