"""Share out the cores of the machine: who may run now, and who comes first.

A session holds a core while it runs. One that uses the GPU also holds the GPU, and an exclusive one, which measures
time, holds everything. Whoever waits is served by rank, the longest first, as far as what it needs is free.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

import msgspec

from codeout.cache import environment
from codeout.config import Config
from codeout.errors import BlockError
from codeout.model.blocks import Session


class Turn(msgspec.Struct, eq=False, kw_only=True):
    """A session in the queue, or one that runs."""

    rank: tuple[float, ...]
    """The smallest is served first."""
    is_exclusive: bool
    """Whether nothing else may run at the same time."""
    is_on_gpu: bool
    """Whether it uses the GPU."""


class Cores:
    """The queue for the cores. Any thread may use it.

    `_changed` guards the two lists, and is held for moments only; whoever waits for it is waiting for a core.
    """

    def __init__(self, config: Config) -> None:
        """Take the settings: how many cores there are to share out, and which sessions need more than one."""
        self.count = config.jobs or os.cpu_count() or 1
        """How many blocks run at the same time."""
        self._config = config
        self._changed = Condition()
        self._waiting: list[Turn] = []
        self._running: list[Turn] = []
        self._is_closed = False

    @contextmanager
    def hold(self, session: Session, rank: tuple[float, ...] = ()) -> Iterator[None]:
        """Wait for the turn of a session, and hold what it needs while the body of the `with` statement runs.

        Raises:
            BlockError: nothing may begin any more.
        """
        is_on_gpu = session.matches(self._config.gpu) and environment.detect_device() != "CPU"
        turn = Turn(rank=rank, is_exclusive=session.matches(self._config.exclusive), is_on_gpu=is_on_gpu)
        with self._changed:
            self._waiting.append(turn)
            self._changed.wait_for(lambda: self._is_closed or self._next() is turn)
            self._waiting.remove(turn)
            if self._is_closed:
                raise BlockError(f"{session.blocks[0]}: not run: the build stopped")
            self._running.append(turn)
            # There may be a core for the next one, too.
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._running.remove(turn)
                self._changed.notify_all()

    def close(self) -> None:
        """Let nothing begin any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _next(self) -> Turn | None:
        """Return whose turn it is; None if all have to wait."""
        if len(self._running) >= self.count or any(turn.is_exclusive for turn in self._running):
            return None
        free = (turn for turn in sorted(self._waiting, key=lambda turn: turn.rank) if self._is_free(turn))
        return next(free, None)

    def _is_free(self, turn: Turn) -> bool:
        """Return whether what a turn needs besides a core is free."""
        if turn.is_exclusive:
            return not self._running
        return not (turn.is_on_gpu and any(other.is_on_gpu for other in self._running))
