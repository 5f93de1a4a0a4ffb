"""What is wanted of a session. It may change while it runs: an author goes on typing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from codeout.cache.keys import KeyInputs
from codeout.model.blocks import Block
from codeout.model.outputs import Run

if TYPE_CHECKING:
    from codeout.run.process import KernelProcess

Told = Callable[[int, Run], None]  # is told the place of a block in its session, from 0, and its run


class Interrupted(Exception):
    """What runs is not wanted any more."""


class Job:
    """The blocks of a session that are to run, and which of them runs now. Any thread may call its methods."""

    def __init__(
        self, session: Sequence[Block], recipes: Sequence[KeyInputs], told: Told = lambda number, run: None
    ) -> None:
        """Take the blocks, what they are made from, and who is told of each run."""
        self.session, self.recipes, self.told = session, recipes, told
        self.stale = False  # what runs is not wanted any more
        self._at = 0  # the block that runs now: a change at or above it makes the work stale
        self._over = False
        self._worker: KernelProcess | None = None
        self._lock = Lock()

    def replace(self, session: Sequence[Block], recipes: Sequence[KeyInputs]) -> bool:
        """Want these blocks instead; end what runs if it is none of them. Return whether it is not too late."""
        with self._lock:
            if self._over:
                return False
            same = unchanged(self.session, self.recipes, session, recipes)
            self.session, self.recipes = session, recipes
            if self._at >= same:
                self.stale = True
                if self._worker:
                    self._worker.interrupt()
            return True

    def begin(self) -> tuple[Sequence[Block], Sequence[KeyInputs]]:
        """Return what is wanted now. Until the first block is taken, every change makes the work stale."""
        with self._lock:
            self.stale, self._worker, self._at = False, None, len(self.session)
            return self.session, self.recipes

    def by(self, worker: KernelProcess) -> None:
        """Name the worker that does it.

        Raises:
            Interrupted: it need not begin.
        """
        with self._lock:
            self._worker = worker
            if self.stale:
                raise Interrupted

    def take(self, number: int) -> tuple[Block, KeyInputs] | None:
        """Return a block, which runs now, by its place from 0; None if there are no more, and that ends the work.

        Raises:
            Interrupted: the blocks above it have changed.
        """
        with self._lock:
            if self.stale:
                raise Interrupted
            self._over = number >= len(self.session)
            self._at = number
            return None if self._over else (self.session[number], self.recipes[number])

    def end(self) -> None:
        """Take no more changes."""
        with self._lock:
            self._over = True


def unchanged(
    old: Sequence[Block], made: Sequence[KeyInputs], new: Sequence[Block], recipes: Sequence[KeyInputs]
) -> int:
    """Return how many blocks from the first are what they were, line for line: a traceback may name lines."""
    count = 0
    for was, before, block, recipe in zip(old, made, new, recipes, strict=False):
        if before != recipe or (was.origin, was.raises) != (block.origin, block.raises):
            break
        count += 1
    return count
