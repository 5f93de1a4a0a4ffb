"""A session to run, as a target that may change while it runs: an author goes on typing, a page goes on converting."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition
from typing import TYPE_CHECKING

from codeout.cache.input_reader import CurrentInputs
from codeout.cache.keys import KeyedSession, KeyInputs
from codeout.errors import CodeoutError
from codeout.model.blocks import Block
from codeout.model.outputs import Run

if TYPE_CHECKING:
    from codeout.run.process import KernelProcess
    from codeout.run.resume import ResumableSession

OnRun = Callable[["Job", int, Run], None]
"""Receives a job, the position of a block in its session, from 0, and its run."""


class Interrupted(Exception):
    """The blocks that run are not part of the target any more."""


class Job:
    """The blocks of a session that are to run, and the runs so far. Any thread may call its methods.

    An open job may still get more blocks at its end; when it has none left, it is parked with its process.
    """

    def __init__(
        self, target: KeyedSession, *, is_open: bool = False, on_run: OnRun = lambda job, number, run: None
    ) -> None:
        """Take the blocks, whether more may follow, and what is called with each run."""
        self.target = target
        self.on_run = on_run
        self.is_outdated = False
        self.is_over = False
        self.runs: list[Run] = []
        self._is_open = is_open
        self._was_restarted = False
        self.problem: BaseException | None = None
        self._parked: ResumableSession | None = None
        self._current = 0  # the block that runs now: a change at or above it makes the job outdated
        self._process: KernelProcess | None = None
        self._changed = Condition()

    def replace(self, target: KeyedSession, now: CurrentInputs, *, is_open: bool = False) -> bool:
        """Change the target; interrupt what runs if it is not part of the new one. Return False if it is too late."""
        with self._changed:
            if self.is_over:
                return False
            same = min(self.target.count_unchanged(target), self._count_current(now))
            self.target, self._is_open = target, is_open
            del self.runs[same:]
            if self._current > same or (self._current == same and self._parked is None):
                self.is_outdated = True
                if self._process and self._parked is None:
                    self._process.interrupt()
            return True

    def covers(self, target: KeyedSession, now: CurrentInputs) -> bool:
        """Return whether the job runs, or has run, all blocks of a target as its first ones, on what is there now."""
        with self._changed:
            return (
                not self.is_outdated
                and self.target.count_unchanged(target) == len(target)
                and self._count_current(now) == len(self.target)
            )

    def restart(self) -> bool:
        """Run all blocks once more, since a file was changed while they used it; return False the second time."""
        with self._changed:
            if self._was_restarted or self.is_over:
                return False
            self._was_restarted = self.is_outdated = True
            self.runs.clear()
            return True

    def _count_current(self, now: CurrentInputs) -> int:
        """Return how many blocks from the first have read what is there now, or have not run yet."""
        stale = (number for number, run in enumerate(self.runs) if not now.are_unchanged(run.inputs))
        return next(stale, len(self.target))

    def begin(self) -> KeyedSession:
        """Return the target. Until the first block is taken, every change makes the job outdated."""
        with self._changed:
            self.is_outdated, self._process, self._current = False, None, len(self.target)
            return self.target

    def attach(self, process: KernelProcess) -> None:
        """Name the process that runs the blocks.

        Raises:
            Interrupted: it need not begin.
        """
        with self._changed:
            self._process = process
            if self.is_outdated:
                raise Interrupted

    def take(self, number: int) -> tuple[Block, KeyInputs] | None:
        """Return the block at a position, from 0, which runs next; None if there is none, which may end the job.

        Raises:
            Interrupted: the blocks above it have changed.
        """
        with self._changed:
            if self.is_outdated:
                raise Interrupted
            self._current = number
            if number < len(self.target):
                return self.target.session.blocks[number], self.target.inputs[number]
            self.is_over = not self._is_open
            return None

    def park(self, process: ResumableSession) -> bool:
        """Keep the process of an open job until more blocks come; return False if some have come, or none will."""
        with self._changed:
            if self.is_outdated:
                raise Interrupted
            if self.is_over or self._current < len(self.target):
                return False
            if not self._is_open:
                self.is_over = True
                return False
            self._parked = process
            return True

    def unpark(self) -> ResumableSession | None:
        """Take back the process of a parked job."""
        with self._changed:
            parked, self._parked = self._parked, None
            return parked

    def report(self, number: int, run: Run) -> None:
        """Take in the run of a block."""
        with self._changed:
            if self.is_outdated or number >= len(self.target):
                return
            self.runs[number : number + 1] = [run]
            self._changed.notify_all()
        self.on_run(self, number, run)

    def fail(self, problem: BaseException) -> None:
        """End the job with an error."""
        with self._changed:
            self.problem, self.is_over = problem, True
            self._changed.notify_all()

    def end(self) -> None:
        """Accept no more changes."""
        with self._changed:
            self.is_over = True
            self._changed.notify_all()

    def cancel(self) -> ResumableSession | None:
        """End the job and interrupt what runs; return its process if it was parked."""
        with self._changed:
            self.is_over = self.is_outdated = True
            parked, self._parked = self._parked, None
            if self._process and parked is None:
                self._process.interrupt()
            self._changed.notify_all()
            return parked

    def close(self) -> ResumableSession | None:
        """Expect no more blocks; return the process if it was parked, which ends the job."""
        with self._changed:
            self._is_open = False
            parked, self._parked = self._parked, None
            self.is_over = self.is_over or parked is not None
            self._changed.notify_all()
            return parked

    @property
    def is_open(self) -> bool:
        """Whether more blocks may follow."""
        return self._is_open

    @property
    def is_parked(self) -> bool:
        """Whether the job waits for more blocks."""
        return self._parked is not None

    def wait(self, count: int) -> list[Run]:
        """Return the runs of the first blocks, once there are so many.

        Raises:
            CodeoutError: the session failed, or was ended, before; any other exception is a defect of the runner.
        """
        with self._changed:
            self._changed.wait_for(lambda: len(self.runs) >= count or self.is_over)
            if len(self.runs) >= count:
                return self.runs[:count]
            raise self.problem or CodeoutError(f"{self.target.session.blocks[0]}: not run: the build stopped")
