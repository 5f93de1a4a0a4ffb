"""What has run in the kernel process of a session, and going back to before what has changed.

A block never runs in a namespace that the blocks above it did not make: an execution goes on where it is, resumes from
a checkpoint, or starts anew. Everything here is for the one thread that works on the session, but for `interrupt` and
`end`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec

from codeout.cache.input_reader import CurrentInputs
from codeout.cache.keys import Key, KeyedSession, KeyInputs, add_trace
from codeout.cache.lookup import Lookup
from codeout.cache.timings import Timing
from codeout.config import Config
from codeout.errors import BlockError, log
from codeout.model.blocks import Block, Place
from codeout.model.expectations import has_unexpected_error, skipped_run, with_hint
from codeout.model.inputs import Input, Observation
from codeout.model.outputs import Error, Run
from codeout.run.hints import find_hint
from codeout.run.process import KernelProcess
from codeout.run.progress import Ticker
from codeout.run.results import BlockResult, compose_run
from codeout.run.sweep import SharedFiles, merge_cases, run_sweep


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A block of a session, with its run as soon as there is one."""

    block: Block
    inputs: KeyInputs
    """What its key covers."""
    run: Run | None = None


class Changed(Exception):
    """A file was changed while the session used it, so that what has run is worth nothing."""


def count_valid(steps: Sequence[Step], target: KeyedSession, now: CurrentInputs) -> int:
    """Return how many steps from the first are those of a target: what runs, its lines, and what it has read.

    The lines count, since the process may name them in a traceback.
    """
    count = 0
    for step, (block, inputs) in zip(steps, target, strict=False):
        is_same = step.inputs == inputs and (step.block.origin, step.block.raises) == (block.origin, block.raises)
        if not is_same or (step.run and not now.are_unchanged(step.run.inputs)):
            break
        count += 1
    return count


class Execution:
    """A session's kernel process, with what has run in it so far."""

    def __init__(self, config: Config, lookup: Lookup, cores: int) -> None:
        """Take the settings, where runs are stored, and how many cases of a sweep may run at the same time."""
        self.steps: list[Step] = []
        """The blocks that have run in the process, or in one from which it has resumed."""
        self.was_resumed = False
        """Whether the process has resumed from a checkpoint: its copy may lack what only the first one had."""
        self._config, self._lookup, self._cores = config, lookup, cores
        self._process: KernelProcess | None = None
        self._target: KeyedSession  # since the first `rewind`
        self._ticker: Ticker
        self._began: float  # time of what runs now
        self._is_ended = False
        # Whether the process is as the steps have left it: not if a block has failed in it, or it was interrupted.
        self._is_clean = False
        # Whether a file was changed while the session used it: nothing from then on may be stored.
        self._is_tainted = False
        self._started_with: KeyInputs | None = None
        self._observed: tuple[Observation, ...] = ()  # by the prelude; it counts for the first block
        self._written: list[frozenset[str]] = []  # by each block, one that failed included
        self.seconds = 0.0
        """How long the session has run in the process; the caller counts."""
        self._checkpoints, self._obstacle = 0, ""  # how many of the first blocks could be forked; why not the next one

    # ------------------------------------------------------------------------------------------------ for any thread

    def interrupt(self) -> None:
        """Kill what runs now; its checkpoints stay. Whoever waits for it gets a `BlockError`, and calls `spoil`."""
        if self._process:
            self._process.interrupt()

    def end(self) -> None:
        """Kill the process, and let none start any more."""
        # In this order, while `_start` first names the process and then looks whether it is wanted: so one of the two
        # sides sees what the other has done.
        self._is_ended = True
        if self._process:
            self._process.kill()

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
        valid = 0 if self._is_tainted else count_valid(self.steps, target, self._lookup.inputs.now())
        if self._is_clean and valid == len(self.steps) and self._is_started_for(target):
            return
        process = self._process
        usable = [n for n in process.checkpoints.numbers if n <= valid and self._keeps_files(n)] if process else []
        if process is None or not usable or not process.resume(usable[-1]):
            self._start()
            return
        del self.steps[usable[-1] :], self._written[usable[-1] :]
        self.was_resumed = self._is_clean = True

    def _is_started_for(self, target: KeyedSession) -> bool:
        """Return whether the process would be started now as it was: with this prelude, these settings and machine."""
        old, new = self._started_with, target.inputs[0]
        return old is not None and (old.environment, old.settings, old.files) == (
            new.environment,
            new.settings,
            new.files,
        )

    def _keeps_files(self, number: int) -> bool:
        """Return whether no later block has touched what the first blocks wrote, removed, read, looked for or listed.

        A checkpoint restores the files of the scratch folder. Others stay as a later block has left them.
        """
        first, later = (set[str]().union(*part) for part in (self._written[:number], self._written[number:]))
        read = (each for step in self.steps[:number] if step.run for each in step.run.inputs)
        return not self._lookup.inputs.are_touched(read, later) and not any(
            _are_related(one, other) for one in first for other in later
        )

    def _start(self) -> None:
        """Start a process in place of the one that there is, and run the prelude in it."""
        self.close()
        self._process = KernelProcess(self._config)
        if self._is_ended:
            self._process.kill()
        self._started_with = self._target.inputs[0]
        for prelude in self._prelude(self._target.session.blocks[0]):
            result = self._process.run(prelude, self._ticker)
            self._observed = result.report.observed
            if error := next((output for output in result.outputs if isinstance(output, Error)), None):
                place = f"{prelude.origin.path}:{error.line or 1}"
                raise BlockError(f"{place}: {error.type}: {error.message}\n{error.traceback}")
        self._is_clean = True

    def _prelude(self, first: Block) -> list[Block]:
        """Return the script that runs before a session's first block, if there is one, as a block."""
        path = self._config.prelude
        if not path:
            return []
        code = self._config.path(path).read_text(encoding="utf8")
        return [Block(place=first.place, session=first.session, code=code, origin=Place(path, 1))]

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
        block, inputs = self._target.session.blocks[number], self._target.inputs[number]
        self._is_clean = False
        self._ticker.begin(number + 1)
        self._began = time.monotonic()
        result = self._run_in_process(block)
        report, written = result.report, frozenset(result.report.written)
        self._written.append(written)
        read = self._resolve(block, (*self._observed, *report.observed))
        read = self._lookup.inputs.note_left(read, written, by_itself=True)
        run = self._compose(result, read)
        key = msgspec.structs.replace(inputs.key, trace=add_trace(self._trace(), read))
        name = self._target.session.block_names[number]
        if has_unexpected_error(block, run):
            run = with_hint(run, partial(find_hint, block=block, config=self._config))
            if self._config.errors == "show":
                self._store(key, run, inputs, name)
            return self._failed(run)
        if self._is_tainted and self._config.checkpoints and may_restart:
            raise Changed
        # Otherwise a file of the settings was edited meanwhile.
        if self._lookup.add_keys(self._target.session).inputs[number] == inputs:
            run = self._store(key, run, inputs, name)
        self._note_left(written)
        step = Step(block=block, inputs=inputs, run=run)
        self.steps.append(step)
        if self._checkpoints == number:
            self._checkpoints, self._obstacle = number + (not report.obstacle), report.obstacle
        self._is_clean = True
        return [step]

    def fail(self, message: str) -> list[Step]:
        """Return the steps from the block on in which the process has died; forget the process.

        They are not stored: another machine may cope.
        """
        steps = self._failed(self._compose(BlockResult.from_death(message, time.monotonic() - self._began)))
        self.close()
        return steps

    def checkpoint(self) -> None:
        """Make a checkpoint below the last step, if that can be done."""
        if self._process and self._is_clean:
            self._process.checkpoint(len(self.steps))

    def spoil(self) -> None:
        """Note that the process is not as the steps have left it, since it was interrupted."""
        self._is_clean = False

    def _compose(self, result: BlockResult, read: tuple[Input, ...] = ()) -> Run:
        """Return the run of the block that follows the steps."""
        return compose_run(
            self._config,
            session=self._target.session,
            block=self._target.session.blocks[len(self.steps)],
            inputs=self._target.inputs[len(self.steps)],
            result=result,
            above=[input_ for step in self.steps if step.run for input_ in step.run.inputs],
            read=read,
        )

    def _failed(self, run: Run) -> list[Step]:
        """Return the steps of the block that has failed with a run, and of those below it, which did not run."""
        (failed, *below) = list(self._target)[len(self.steps) :]
        skipped = skipped_run(run, failed[0])
        return [
            Step(block=block, inputs=inputs, run=run)
            for (block, inputs), run in [(failed, run), *((keyed, skipped) for keyed in below)]
        ]

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
        workers = 1 if is_alone else self._cores
        log.info("codeout: %s: %d cases, %d at a time", block, len(block.sweep.cases), workers)
        try:
            return run_sweep(self._process, block, self._ticker, partial(self._replay, self._process), workers)
        except SharedFiles:
            log.info("codeout: %s: its cases write the same files; they run again, one after the other", block)
        others = [self._replay(self._process, case) for case in block.cases]
        # The first attempt of the block itself has met the others' files, so it comes last, in a process that has not.
        self._process.close()
        self._process = self._replayed(block)
        return merge_cases(block, self._process.run(block, self._ticker), others)

    def _replay(self, owner: KernelProcess, case: Block) -> BlockResult:
        """Run a case of a block in a process of its own, after the blocks above it.

        Raises:
            BlockError: as for `KernelProcess.run`, or nothing may start any more.
        """
        with closing(self._replayed(case, owner.replays)) as process:
            return process.run(case, self._ticker)

    def _replayed(self, block: Block, group: set[KernelProcess] | None = None) -> KernelProcess:
        """Return a process in which the blocks above one have run; it leaves the group when it is closed.

        Raises:
            BlockError: as for `KernelProcess.run`, or nothing may start any more.
        """
        process = KernelProcess(self._config, group)
        try:
            if self._is_ended:
                raise BlockError(f"{block}: not run: the build stopped")
            for above in (*self._prelude(block), *(step.block for step in self.steps)):
                process.run(above, self._ticker)
        except BaseException:
            process.close()
            raise
        return process

    def _resolve(self, block: Block, observed: Sequence[Observation]) -> tuple[Input, ...]:
        """Return what a block has read as inputs; note if some of it has changed since."""
        read, changed = self._lookup.inputs.resolve(observed)
        self._observed = ()
        if changed:
            self._is_tainted = True
            log.info("codeout: %s: %s changed while it ran; it will rerun", block, ", ".join(changed))
        return read

    def _note_left(self, written: frozenset[str]) -> None:
        """Note in which state a block has left what the blocks above it had read: that is no change from outside."""
        trace = ""
        for number, step in enumerate(self.steps):
            if step.run is None:
                continue
            trace = add_trace(trace, step.run.inputs)
            inputs = self._lookup.inputs.note_left(step.run.inputs, written)
            if inputs != step.run.inputs:
                run = msgspec.structs.replace(step.run, inputs=inputs)
                key = msgspec.structs.replace(step.inputs.key, trace=trace)
                run = self._store(key, run, step.inputs, self._target.session.block_names[number])
                self.steps[number] = msgspec.structs.replace(step, run=run)

    def _trace(self) -> str:
        """Return the digest of what the steps have read, as the keys of their runs have it."""
        trace = ""
        for step in self.steps:
            trace = add_trace(trace, step.run.inputs if step.run else ())
        return trace

    def _store(self, key: Key, run: Run, inputs: KeyInputs, name: str) -> Run:
        """Store a run unless it is worth nothing; return it as it is stored."""
        if self._is_tainted or self._is_ended:
            return run
        try:
            stored = self._lookup.cache.put(key, run, inputs, name)
            self._lookup.inputs.save()
        except (OSError, ValueError) as problem:
            root = self._lookup.cache.root
            log.warning("codeout: %s: cannot store a run (%s); its block will rerun", root, problem)
            return run
        return stored

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
            self._process.close()
        self._process, self._started_with = None, None
        self.steps, self._written, self._observed = [], [], ()
        self._is_clean = self._is_tainted = self.was_resumed = False
        self.seconds, self._checkpoints, self._obstacle = 0.0, 0, ""


def _are_related(one: str, other: str) -> bool:
    """Return whether two paths are the same, or one is inside the other."""
    return Path(one).is_relative_to(other) or Path(other).is_relative_to(one)
