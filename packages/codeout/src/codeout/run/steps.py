"""What has run in the kernel process of a session: its steps, what they have read and written, and their stored runs.

Everything here is for the one thread that works on the session, but for `end`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from codeout.cache.input_reader import CurrentInputs
from codeout.cache.keys import Key, KeyedSession, KeyInputs, add_trace
from codeout.cache.lookup import Lookup
from codeout.errors import log
from codeout.model.blocks import Block
from codeout.model.expectations import has_unexpected_error, skipped_run, with_hint
from codeout.model.inputs import Input, Observation
from codeout.model.outputs import Run
from codeout.run.hints import find_hint
from codeout.run.results import BlockResult, compose_run


class Target(msgspec.Struct, frozen=True):
    """What is to have run."""

    keyed: KeyedSession
    """The blocks of the session, from the first."""
    may_grow: bool = False
    """Whether more blocks may follow, since their page still converts: the process waits for them."""


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


class Steps:
    """The blocks that have run in a process, in order."""

    def __init__(self, lookup: Lookup) -> None:
        """Take where runs are stored."""
        self._lookup, self._config = lookup, lookup.config
        self._is_ended = False
        self.clear()

    def clear(self) -> None:
        """Forget all, for a new process."""
        self._steps: list[Step] = []
        self._written: list[frozenset[str]] = []  # by each block, one that failed included
        self._observed: tuple[Observation, ...] = ()  # by the prelude; it counts for the first block
        # Whether a file was changed while the session used it: nothing from then on may be stored.
        self._is_tainted = False

    def __len__(self) -> int:
        return len(self._steps)

    def since(self, number: int) -> list[Step]:
        """Return the steps from a position on."""
        return self._steps[number:]

    @property
    def blocks(self) -> list[Block]:
        """The blocks that have run."""
        return [step.block for step in self._steps]

    def end(self) -> None:
        """Store nothing any more. Any thread may call this."""
        self._is_ended = True

    def count_valid(self, target: KeyedSession) -> int:
        """Return how many steps from the first are still those of a target."""
        return 0 if self._is_tainted else count_valid(self._steps, target, self._lookup.inputs.now())

    def keeps_files(self, number: int) -> bool:
        """Return whether no later block has touched what the first ones wrote, removed, read, looked for or listed.

        A checkpoint restores the files of the scratch folder. Others stay as a later block has left them.
        """
        first, later = (set[str]().union(*part) for part in (self._written[:number], self._written[number:]))
        read = (each for step in self._steps[:number] if step.run for each in step.run.inputs)
        return not self._lookup.inputs.are_touched(read, later) and not any(
            _are_related(one, other) for one in first for other in later
        )

    def cut(self, number: int) -> None:
        """Go back to the first so many steps."""
        del self._steps[number:], self._written[number:]

    def note_prelude(self, observed: tuple[Observation, ...]) -> None:
        """Note what the prelude has read."""
        self._observed = observed

    def add(self, target: KeyedSession, result: BlockResult, *, may_restart: bool) -> list[Step]:
        """Add the block of a target that has run after the steps, and store its run.

        Args:
            target: the session.
            result: what its kernel reports.
            may_restart: whether all may run once more if a file was changed while the session used it.

        Returns:
            The step. If the block has failed, none is added; the blocks below it, which did not run, have theirs, too.

        Raises:
            Changed: such a file was changed, and an author edits.
        """
        number, written = len(self), frozenset(result.report.written)
        block, inputs, name = target.session.blocks[number], target.inputs[number], target.session.block_names[number]
        self._written.append(written)
        read = self._resolve(block, (*self._observed, *result.report.observed))
        read = self._lookup.inputs.note_left(read, set[str]().union(*self._written[:-1]))
        read = self._lookup.inputs.note_left(read, written, by_itself=True)
        run = self._compose(target, result, read)
        key = msgspec.structs.replace(inputs.key, trace=add_trace(self._trace(), read))
        if has_unexpected_error(block, run):
            run = with_hint(run, partial(find_hint, block=block, config=self._config))
            if self._config.errors == "show":
                self._store(key, run, inputs, name)
            return self._failed(target, run)
        if self._is_tainted and self._config.checkpoints and may_restart:
            raise Changed
        # Otherwise a file of the settings was edited meanwhile.
        if self._lookup.add_keys(target.session).inputs[number] == inputs:
            run = self._store(key, run, inputs, name)
        self._note_left(target, written)
        self._steps.append(Step(block=block, inputs=inputs, run=run))
        return self.since(number)

    def fail(self, target: KeyedSession, message: str, seconds: float) -> list[Step]:
        """Return the steps from the block on in which the process has died; they are not stored."""
        return self._failed(target, self._compose(target, BlockResult.from_death(message, seconds)))

    def _compose(self, target: KeyedSession, result: BlockResult, read: tuple[Input, ...] = ()) -> Run:
        """Return the run of the block that follows the steps."""
        return compose_run(
            self._config,
            session=target.session,
            block=target.session.blocks[len(self)],
            inputs=target.inputs[len(self)],
            result=result,
            above=[input_ for step in self._steps if step.run for input_ in step.run.inputs],
            read=read,
        )

    def _failed(self, target: KeyedSession, run: Run) -> list[Step]:
        """Return the steps of the block that has failed with a run, and of those below it, which did not run."""
        (failed, *below) = list(target)[len(self) :]
        skipped = skipped_run(run, failed[0])
        return [
            Step(block=block, inputs=inputs, run=run)
            for (block, inputs), run in [(failed, run), *((keyed, skipped) for keyed in below)]
        ]

    def _resolve(self, block: Block, observed: Sequence[Observation]) -> tuple[Input, ...]:
        """Return what a block has read as inputs; note if some of it has changed since."""
        read, changed = self._lookup.inputs.resolve(observed)
        self._observed = ()
        if changed:
            self._is_tainted = True
            log.info("codeout: %s: %s changed while it ran; it will rerun", block, ", ".join(changed))
        return read

    def _note_left(self, target: KeyedSession, written: frozenset[str]) -> None:
        """Note in which state a block has left what the blocks above it had read: that is no change from outside."""
        trace = ""
        for number, step in enumerate(self._steps):
            if step.run is None:
                continue
            trace = add_trace(trace, step.run.inputs)
            inputs = self._lookup.inputs.note_left(step.run.inputs, written)
            if inputs != step.run.inputs:
                run = msgspec.structs.replace(step.run, inputs=inputs)
                key = msgspec.structs.replace(step.inputs.key, trace=trace)
                run = self._store(key, run, step.inputs, target.session.block_names[number])
                self._steps[number] = msgspec.structs.replace(step, run=run)

    def _trace(self) -> str:
        """Return the digest of what the steps have read, as the keys of their runs have it."""
        trace = ""
        for step in self._steps:
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


def _are_related(one: str, other: str) -> bool:
    """Return whether two paths are the same, or one is inside the other."""
    return Path(one).is_relative_to(other) or Path(other).is_relative_to(one)
