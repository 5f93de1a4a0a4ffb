"""The kernel process of a session: running blocks in it, and going back to before what has changed.

A block never runs in a namespace that the blocks above it did not make: an execution goes on where it is, resumes from
a checkpoint, or starts anew. Everything here is for the one thread that works on the session, but for `interrupt` and
`end`.
"""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial

import msgspec

from codeout.cache.keys import KeyedSession, KeyInputs
from codeout.cache.lookup import Lookup
from codeout.cache.timings import Timing
from codeout.config import Config
from codeout.errors import BlockError, log
from codeout.model.blocks import Block
from codeout.run.base import Base, Started
from codeout.run.cores import Cores
from codeout.run.process import KernelProcess, ProcessGroup
from codeout.run.progress import Ticker
from codeout.run.results import BlockResult
from codeout.run.steps import Step, Steps
from codeout.run.sweep import Helpers, SharedFiles, merge_cases, run_sweep


class Execution:
    """A session's kernel process, with what has run in it so far."""

    def __init__(self, config: Config, lookup: Lookup, base: Base, cores: Cores) -> None:
        """Take the settings, where runs are stored, what starts kernels, and the cores for cases."""
        self.steps = Steps(lookup)
        """The blocks that have run in the process, or in one from which it has resumed."""
        self.was_resumed = False
        """Whether the process has resumed from a checkpoint: its copy may lack what only the first one had."""
        self._config, self._base, self._cores = config, base, cores
        self._processes = ProcessGroup()
        self._process: KernelProcess | None = None
        self._starts_alone = False  # whether a fork of the base has waited for a thread that it did not have
        self._target: KeyedSession  # since the first `rewind`
        self._ticker: Ticker
        self._began: float  # time of what runs now
        self._is_ended = False
        # Whether the process is as the steps have left it: not if a block has failed in it, or it was interrupted.
        self._is_clean = False
        self._started_with: KeyInputs | None = None
        self.seconds = 0.0
        """How long the session has run in the process; the caller counts."""
        self._checkpoints, self._obstacle = 0, ""  # how many of the first blocks could be forked; why not the next one

    # ------------------------------------------------------------------------------------------------ for any thread

    def interrupt(self) -> None:
        """Kill what runs now; its checkpoints stay. Whoever waits for it gets a `BlockError`, and calls `spoil`."""
        self._processes.interrupt()

    def end(self) -> None:
        """Kill the process, and let none start any more."""
        self._is_ended = True
        self.steps.end()
        self._processes.end()

    # ----------------------------------------------------------------------------------------------------- going back

    def rewind(self, target: KeyedSession, ticker: Ticker) -> None:
        """Bring the process to the last state it can have above what differs from a target, which is to run now.

        Args:
            target: the blocks.
            ticker: shows their progress.

        Raises:
            BlockError: the prelude failed, or nothing may start any more.
        """
        self._target, self._ticker, self._began = target, ticker, time.monotonic()
        valid = self.steps.count_valid(target)
        if self._is_clean and valid == len(self.steps) and self._is_started_for(target):
            return
        process = self._process
        usable = [n for n in process.checkpoints.numbers if n <= valid and self.steps.keeps_files(n)] if process else []
        if process is None or not usable or not process.resume(usable[-1]):
            self._start()
            return
        self.steps.cut(usable[-1])
        self.was_resumed = self._is_clean = True

    def _is_started_for(self, target: KeyedSession) -> bool:
        """Return whether the process would be started now as it was: with this prelude, these settings and machine."""
        old, new = self._started_with, target.inputs[0]
        return old is not None and (old.environment, old.settings, old.files) == (
            new.environment,
            new.settings,
            new.files,
        )

    def _start(self) -> None:
        """Start a process in place of the one that there is, and run the prelude in it."""
        self.close()
        started = self._start_another(self._processes)
        self._process, self._started_with = started.process, self._target.inputs[0]
        self.steps.note_prelude(started.observed)
        self._is_clean = True

    def _start_another(self, group: ProcessGroup) -> Started:
        """Start a process for the target, and run the prelude in it.

        Raises:
            BlockError: the prelude failed.
        """
        first, inputs = self._target.session.blocks[0], self._target.inputs[0]
        return self._base.start(first, inputs, self._ticker, group, by_itself=self._starts_alone)

    # ------------------------------------------------------------------------------------------------------- running

    @property
    def next_number(self) -> int | None:
        """The position of the block that runs next; None if all have run, or one has failed."""
        number = len(self.steps)
        return number if self._is_clean and number < len(self._target) else None

    def run_next(self, *, may_restart: bool) -> list[Step]:
        """Run the block of the target that follows the steps, and store its run.

        Args:
            may_restart: whether all may run once more if a file was changed while the session used it.

        Returns:
            The step; if the block has failed, the blocks below it, which did not run, have theirs as well.

        Raises:
            BlockError: the process died, the block took too long, or it sent something that is no event.
            Changed: such a file was changed, and an author edits.
        """
        number = len(self.steps)
        self._is_clean = False
        self._ticker.begin(number + 1)
        self._began = time.monotonic()
        result = self._run_in_process(self._target.session.blocks[number])
        steps = self.steps.add(self._target, result, may_restart=may_restart)
        self._is_clean = len(self.steps) > number
        if self._is_clean and self._checkpoints == number:
            self._obstacle = result.report.obstacle
            self._checkpoints = number + (not self._obstacle)
        return steps

    def fail(self, message: str) -> list[Step]:
        """Return the steps from the block on in which the process has died; forget the process.

        They are not stored: another machine may cope.
        """
        steps = self.steps.fail(self._target, message, time.monotonic() - self._began)
        self.close()
        return steps

    def checkpoint(self) -> None:
        """Make a checkpoint below the last step, if that can be done."""
        if self._process and self._is_clean:
            self._process.checkpoint(len(self.steps))

    @property
    def may_lack_threads(self) -> bool:
        """Whether the process is a fork, so that what has ended it may be what it lacks."""
        return self.was_resumed or (self._process is not None and self._process.was_stuck)

    def spoil(self) -> None:
        """Note that the process is not as the steps have left it, since it was interrupted."""
        self._is_clean = False

    def _run_in_process(self, block: Block) -> BlockResult:
        """Run a block, with all its cases if it is swept.

        Raises:
            BlockError: as for `KernelProcess.run`.
        """
        if self._process is None:
            raise AssertionError("`rewind` starts one")
        if not block.sweep:
            return self._process.run(block, self._ticker)
        is_alone = block.matches((*self._config.exclusive, *self._config.gpu))
        helpers = Helpers(
            count=0 if is_alone else self._cores.count - 1,
            borrow=partial(self._cores.borrow, self._target.session),
            look_again=self._cores.look_again,
        )
        log.info("codeout: %s: %d cases", block, len(block.sweep.cases))
        try:
            return run_sweep(self._process, block, self._ticker, partial(self._replay, self._process), helpers)
        except SharedFiles:
            log.info("codeout: %s: its cases write the same files; they run again, one after the other", block)
        owner = self._process
        others = [self._replay(owner, case) for case in block.cases]
        # The first attempt of the block itself has met the others' files, so it comes last, in a process that has not.
        # Until that one is there, whoever ends the session finds it in the group of the owner.
        self._process = self._replayed(block, owner.replays, [])
        owner.close()
        return merge_cases(block, self._process.run(block, self._ticker), others)

    def _replay(self, owner: KernelProcess, case: Block) -> BlockResult:
        """Run a case of a block in a process of its own, after the blocks above it.

        Raises:
            BlockError: as for `KernelProcess.run`, or nothing may start any more.
        """
        written: list[str] = []
        with closing(self._replayed(case, owner.replays, written)) as process:
            result = process.run(case, self._ticker)
        report = msgspec.structs.replace(result.report, written=(*written, *result.report.written))
        return msgspec.structs.replace(result, report=report)

    def _replayed(self, block: Block, group: ProcessGroup, written: list[str]) -> KernelProcess:
        """Return a process in which the blocks above one have run; it leaves the group when it is closed.

        What they have written is added to the list: others may do so at the same time.

        Raises:
            BlockError: as for `KernelProcess.run`, or nothing may start any more.
        """
        started = self._start_another(group)
        process = started.process
        written += started.written
        try:
            if self._is_ended:
                raise BlockError(f"{block}: not run: the build stopped")
            for above in self.steps.blocks:
                written += process.run(above, self._ticker).report.written
        except BaseException:
            process.close()
            raise
        return process

    # -------------------------------------------------------------------------------------------------------- the end

    def settle(self) -> Timing | None:
        """Keep the process for its checkpoints, or end it, when nothing is left to run.

        Returns:
            How the session went, if its process has run all of it.
        """
        timing = None
        if self._process and not self.was_resumed:
            seconds = max(round(self.seconds, 1), 0.1)  # not 0: sessions are shared out by their times
            timing = Timing(seconds, self._checkpoints, self._obstacle)
        if self._process and not self._process.checkpoints.numbers:
            self.close()
        return timing

    def close(self) -> None:
        """End the process, and forget what has run in it."""
        if self._process:
            self._starts_alone |= self._process.was_stuck
            self._process.close()
        self._process, self._started_with = None, None
        self.steps.clear()
        self._is_clean = self.was_resumed = False
        self.seconds, self._checkpoints, self._obstacle = 0.0, 0, ""
