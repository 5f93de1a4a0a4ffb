"""Share out the cores of the machine: who may run now, and who comes first.

A session holds a core while it runs, and the cases of its sweeps take those that are free. One that uses the GPU also
holds the GPU, and an exclusive one, which measures time, holds everything. Whoever waits is served by rank, the longest
first, as far as what it needs is free. What somebody looks at comes before all others, and waits for no core that all
others have taken.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

import msgspec

from codeout.cache import environment
from codeout.config import Config
from codeout.errors import BlockError
from codeout.model.blocks import Session

SEEN_SECONDS = 5.0
"""For how long a page counts as seen after it has asked for news."""
LAST = (float("inf"),)
"""The rank of what takes a core only if no session needs it."""


class Turn(msgspec.Struct, eq=False, kw_only=True):
    """A session in the queue, or one that runs; or a case of one."""

    page: str
    """The page on which it is."""
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
        self._seen: dict[str, float] = {}
        self._is_closed = False

    @contextmanager
    def hold(self, session: Session, rank: tuple[float, ...] = ()) -> Iterator[None]:
        """Wait for the turn of a session, and hold what it needs while the body of the `with` statement runs.

        Raises:
            BlockError: nothing may begin any more.
        """
        is_on_gpu = session.matches(self._config.gpu) and environment.detect_device() != "CPU"
        is_exclusive = session.matches(self._config.exclusive)
        turn = Turn(page=session.page, rank=rank, is_exclusive=is_exclusive, is_on_gpu=is_on_gpu)
        with self._take(turn):
            if self._is_closed:
                raise BlockError(f"{session.blocks[0]}: not run: the build stopped")
            yield

    @contextmanager
    def borrow(self, session: Session, is_wanted: Callable[[], bool]) -> Iterator[bool]:
        """Wait for a core that no session needs; say whether there is one, before it is wanted no more.

        Whoever makes it unwanted calls `look_again`.
        """
        turn = Turn(page=session.page, rank=LAST, is_exclusive=False, is_on_gpu=False)
        with self._take(turn, is_wanted):
            yield not self._is_closed and is_wanted()

    def look_again(self) -> None:
        """Let those who wait look whether they still have to."""
        with self._changed:
            self._changed.notify_all()

    def prefer(self, page: str) -> None:
        """Serve the sessions of a page first, for somebody looks at it."""
        with self._changed:
            self._seen[page] = time.monotonic()
            self._changed.notify_all()

    @contextmanager
    def _take(self, turn: Turn, is_wanted: Callable[[], bool] = lambda: True) -> Iterator[None]:
        """Wait for a turn, or for the end of all or of that, and hold what it needs meanwhile."""
        with self._changed:
            self._waiting.append(turn)
            self._changed.wait_for(lambda: self._is_closed or not is_wanted() or self._next() is turn)
            self._waiting.remove(turn)
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
        if any(turn.is_exclusive for turn in self._running):
            return None
        free = (turn for turn in sorted(self._waiting, key=self._order) if self._is_free(turn))
        return next(free, None)

    def _order(self, turn: Turn) -> tuple[float, ...]:
        return (-float(self._is_seen(turn)), *turn.rank)

    def _is_seen(self, turn: Turn) -> bool:
        return time.monotonic() - self._seen.get(turn.page, float("-inf")) < SEEN_SECONDS

    def _is_free(self, turn: Turn) -> bool:
        """Return whether what a turn needs is free."""
        if turn.is_exclusive:
            return not self._running
        if turn.is_on_gpu and any(other.is_on_gpu for other in self._running):
            return False
        others_take_all = self._is_seen(turn) and turn.rank != LAST and not any(map(self._is_seen, self._running))
        return len(self._running) < self.count or (others_take_all and len(self._running) == self.count)
