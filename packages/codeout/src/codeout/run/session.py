"""One running session: a thread that owns its kernel process, targets that go in, and runs that come out.

Any thread may set a target: an author goes on typing, a page goes on converting. While there is something to do, one
thread works towards the newest target; only that thread uses the execution. `_changed` guards what both sides use: the
target, the steps that are out, and which block runs. It is held for moments only, and never while a process starts,
runs or ends, or a listener is called; a thread that holds it takes no other lock but that of the pool.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Condition
from typing import TYPE_CHECKING

import msgspec

from codeout.cache.input_reader import CurrentInputs
from codeout.cache.keys import KeyedSession
from codeout.cache.lookup import Lookup
from codeout.config import Config
from codeout.errors import BlockError, CodeoutError, log
from codeout.model.outputs import Run
from codeout.run.base import Base
from codeout.run.cores import Cores
from codeout.run.execution import Execution
from codeout.run.progress import ProgressBoard, SessionProgress, Ticker
from codeout.run.steps import Changed, Step, Target, count_valid

if TYPE_CHECKING:
    from codeout.run.engine import Listener


class SessionContext(msgspec.Struct, frozen=True, kw_only=True):
    """What all sessions of a site share."""

    config: Config
    lookup: Lookup
    base: Base
    cores: Cores
    progress: ProgressBoard
    listener: Listener
    submit: Callable[[RunningSession], None]
    """Has a thread call `work`."""


class Interrupted(Exception):
    """Another target is wanted, or none any more."""


class RunningSession:
    """Runs the blocks of one session, and keeps its process for its checkpoints."""

    def __init__(self, name: str, context: SessionContext) -> None:
        """Start nothing yet."""
        self.name = name
        self._context = context
        self._execution = Execution(context.config, context.lookup, context.base, context.cores)
        self._changed = Condition()
        self._target: Target | None = None
        self._reached: Target | None = None
        self.steps: tuple[Step, ...] = ()
        """The first blocks of the target, with their runs."""
        self.problem: BaseException | None = None
        """What ended the session before its blocks had run: a mistake of the author's, or a defect."""
        self._running: int | None = None  # the position of the block that runs now
        self._is_interrupted = False  # whether that block was killed
        self._is_working = False
        self._is_ended = False
        self._has_restarted = False
        self._rank: tuple[float, ...] = ()

    # ------------------------------------------------------------------------------------------------ for any thread

    @property
    def target(self) -> KeyedSession | None:
        """The blocks that are to have run; None if none are wanted any more."""
        return self._target.keyed if self._target else None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do for the target."""
        return not self._is_working

    def covers(self, target: KeyedSession, now: CurrentInputs) -> bool:
        """Return whether the blocks of a target run, or have run, as the first ones of the session."""
        with self._changed:
            return self._count_same(target, now) == len(target)

    def set_target(self, target: Target, now: CurrentInputs, rank: tuple[float, ...] = ()) -> None:
        """Set another target; interrupt what runs if it is not part of it.

        Args:
            target: what is to have run.
            now: what inputs are now.
            rank: when it is the session's turn to get a core; the smallest comes first.
        """
        with self._changed:
            same = self._count_same(target.keyed, now)
            is_part = same == len(target.keyed) and self._target is not None
            if is_part and (target.may_grow or (self._target and same == len(self._target.keyed))):
                return
            self._target, self._rank, self.problem, self._has_restarted = target, rank, None, False
            self.steps = self.steps[:same]
            self._interrupt_from(same)
            self._begin_work()

    def expect_no_more(self) -> None:
        """End the process once all has run, since no more blocks follow."""
        with self._changed:
            if self._target and self._target.may_grow and not self._is_ended:
                self._target = msgspec.structs.replace(self._target, may_grow=False)
                self._begin_work()

    def cancel(self) -> None:
        """Want nothing any more; what has run so far stays as good as it is."""
        with self._changed:
            self._target, self.steps, self.problem = None, (), None
            self._interrupt_from(0)

    def end(self) -> None:
        """End the process, and let none start any more."""
        with self._changed:
            if self._is_ended:
                return
            self._is_ended = True
            self._begin_work()  # the thread cleans up
        self._execution.end()

    def wait(self, count: int) -> list[Run]:
        """Return the runs of the first blocks, once there are so many.

        Raises:
            CodeoutError: the session failed, or was ended, before; any other exception is a defect of the engine.
        """
        with self._changed:
            self._changed.wait_for(lambda: len(self.steps) >= count or not self._is_working)
            runs = [step.run for step in self.steps[:count] if step.run]
            if len(runs) < count:
                place = self._target.keyed.session.blocks[0] if self._target else self.name
                raise self.problem or CodeoutError(f"{place}: not run: the build stopped")
            return runs

    def join(self) -> None:
        """Wait until nothing is left to do."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_working)

    def _count_same(self, target: KeyedSession, now: CurrentInputs) -> int:
        """Return how many blocks from the first another target has in common with the present one, and what has run."""
        if self._target is None:
            return 0
        left = [Step(block=block, inputs=inputs) for block, inputs in self._target.keyed]
        return count_valid([*self.steps, *left[len(self.steps) :]], target, now)

    def _interrupt_from(self, number: int) -> None:
        """Kill the block that runs if it is the one at a position, or one below it."""
        if self._running is not None and self._running >= number:
            self._is_interrupted = True
            self._execution.interrupt()

    def _begin_work(self) -> None:
        if not self._is_working:
            self._is_working = True
            self._context.submit(self)

    # ---------------------------------------------------------------------------------------- for the thread that works

    def work(self) -> None:
        """Reach the target, and whatever takes its place meanwhile."""
        while (target := self._next_target()) is not None:
            try:
                if len(self.steps) < len(target.keyed):
                    with self._context.cores.hold(target.keyed.session, self._rank):
                        self._run(target)
                self._settle(target)
            except Interrupted:
                continue
            except BlockError as problem:
                self._give_up(target, problem)
            finally:
                self._context.progress.remove(self.name)

    def fail(self, problem: BaseException) -> None:
        """Tell those who wait that the thread has ended by a defect, or a mistake in the settings."""
        self._give_up(self._target, problem)
        with self._changed:
            self._is_working = False
            self._changed.notify_all()

    def _next_target(self) -> Target | None:
        """Return the target, if it has not been reached yet; if there is nothing to do, the thread ends with this."""
        if self._is_ended:
            self._execution.close()
        with self._changed:
            if self._is_ended or self._target is None or self._target is self._reached:
                self._is_working = False
                self._changed.notify_all()
                return None
            return self._target

    def _run(self, target: Target) -> None:
        """Run what is left of a target.

        Raises:
            Interrupted: the target has to be looked at again.
            BlockError: the process died or hung, or the prelude failed.
        """
        start = time.monotonic()
        execution = self._execution
        try:
            execution.rewind(target.keyed, self._announce(target, start))
            self._deliver(target, len(self.steps), execution.steps.since(len(self.steps)))
            while (number := self._begin_block(target)) is not None:
                self._deliver(target, number, execution.run_next(may_restart=not self._has_restarted))
                execution.checkpoint()
        except BlockError as problem:
            self._deliver(target, len(execution.steps), self._explain_death(problem))
        except Changed:
            # All blocks run once more, since a file was changed while they used it.
            execution.close()
            with self._changed:
                self._running, self._has_restarted, self.steps = None, True, ()
            raise Interrupted from None
        finally:
            execution.seconds += time.monotonic() - start
        if not target.may_grow:
            log.info(
                "codeout: %s: done in %.1f s%s",
                self.name,
                time.monotonic() - start,
                self._context.progress.describe_others(self.name),
            )

    def _announce(self, target: Target, start: float) -> Ticker:
        """Say that the session runs; return what shows its progress."""
        timing = None if self.steps else self._context.lookup.cache.timings.get(self.name)
        seconds = timing.seconds if timing else None
        blocks = len(target.keyed) - len(self.steps)
        estimate = f", about {seconds:.0f} s" if seconds else ""
        log.info("codeout: %s: running %d block%s%s", self.name, blocks, "" if blocks == 1 else "s", estimate)
        return Ticker(
            self._context.progress,
            SessionProgress(
                session=self.name, block=0, blocks=len(target.keyed), start=start, expected_seconds=seconds
            ),
        )

    def _begin_block(self, target: Target) -> int | None:
        """Return the position of the block that runs next, and note that it runs; None if there is none.

        Raises:
            Interrupted: another target is wanted.
        """
        with self._changed:
            if self._is_ended or self._target is not target:
                raise Interrupted
            self._running = self._execution.next_number
            # From now on, and not before, whoever changes the target kills what runs.
            self._is_interrupted = False
            return self._running

    def _deliver(self, target: Target, first: int, steps: list[Step]) -> None:
        """Hand out steps of a target, from a position on, to whoever waits and to the listener.

        Raises:
            Interrupted: another target is wanted.
        """
        with self._changed:
            is_wanted = self.target is target.keyed and not self._is_ended
            if not is_wanted:
                # The newer target has the block that runs, too, and at the same position: whoever set it would have
                # interrupted the block otherwise. Those below it may be others.
                steps = [] if self._running is None or self._is_interrupted else steps[:1]
            self._running = None
            self.steps = (*self.steps[:first], *steps, *self.steps[first + len(steps) :])
            self._changed.notify_all()
        for number, step in enumerate(steps, start=first):
            self._context.listener.on_run(self, number, step)
        if not is_wanted:
            if self._is_interrupted:
                self._execution.spoil()
            raise Interrupted

    def _explain_death(self, problem: BlockError) -> list[Step]:
        """Return the steps to deliver, since the process is gone.

        Raises:
            Interrupted: it was killed since another target is wanted, or only had to resume from a checkpoint that was
                no good; then all runs again.
            BlockError: the block is to blame, and errors are not to be shown.
        """
        with self._changed:
            was_meant = self._is_interrupted or self._is_ended
            self._running, self._is_interrupted = None, False
        self._execution.spoil()
        if was_meant:
            raise Interrupted from problem
        if self._execution.may_lack_threads:
            self._execution.close()
            raise Interrupted from problem
        if self._context.config.errors == "raise":
            raise problem
        return self._execution.fail(str(problem))

    def _settle(self, target: Target) -> None:
        """Note that all has run; keep the process if it can be of use, and how long it took."""
        if not target.may_grow and (timing := self._execution.settle()):
            with suppress(OSError):  # that the cache cannot be written has been logged
                self._context.lookup.cache.timings.put(self.name, timing)
        with self._changed:
            self._reached = target

    def _give_up(self, target: Target | None, problem: BaseException) -> None:
        self._execution.close()
        with self._changed:
            self._running = None
            self.problem, self._reached = problem, target
