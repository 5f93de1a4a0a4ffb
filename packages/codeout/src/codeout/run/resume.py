"""A session whose process is alive: what has run in it, and going back to before what has changed."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import msgspec

from codeout.cache.input_reader import InputReader
from codeout.cache.keys import KeyedSession, KeyInputs, add_trace
from codeout.model.blocks import Block
from codeout.model.inputs import Observation
from codeout.model.outputs import Run

if TYPE_CHECKING:
    from codeout.run.process import KernelProcess


class ResumableSession(msgspec.Struct):
    """A session whose process is alive, with what has run in it so far."""

    process: KernelProcess
    """The kernel process."""
    steps: list[tuple[Block, KeyInputs]] = msgspec.field(default_factory=list)
    """The blocks that have run."""
    runs: list[Run] = msgspec.field(default_factory=list)
    """Their runs."""
    checkpoints: set[int] = msgspec.field(default_factory=set)
    """The numbers of blocks after which there is a checkpoint."""
    seconds: float = 0.0
    """How long it has run; not counted for one that has resumed from a checkpoint."""
    is_resumed: bool = False
    """Whether it has resumed from a checkpoint, so that its time is not that of all its blocks."""
    forkable: int = 0
    """The number of blocks, from the first, after which a checkpoint was possible."""
    obstacle: str = ""
    """Why it was not after the next one."""

    observed: tuple[Observation, ...] = ()
    """What the prelude has read, which counts for the first block."""
    trace: str = ""
    """What has been read so far, as the keys of the runs have it."""
    is_tainted: bool = False
    """Whether a file was changed while the session used it, so that nothing from then on may be stored."""
    written: list[frozenset[str]] = msgspec.field(default_factory=list)
    """The files outside of the scratch folder that each block wrote, one that failed included."""

    def add(self, block: Block, inputs: KeyInputs, run: Run) -> None:
        """Note that a block has run."""
        self.steps.append((block, inputs))
        self.runs.append(run)
        self.trace = add_trace(self.trace, run.inputs)

    def rewind(self, target: KeyedSession, reader: InputReader) -> int:
        """Resume from the last checkpoint above what has changed; return how many blocks had run, 0 without one."""
        same = self._count_unchanged(target, reader)
        fit = (checkpoint for checkpoint in self.checkpoints if checkpoint <= same and self._keeps_files(checkpoint))
        number = max(fit, default=0)
        if not number or not self.process.resume(number):
            self.process.close()
            return 0
        del self.steps[number:], self.runs[number:], self.written[number:]
        self.trace = reduce(lambda trace, run: add_trace(trace, run.inputs), self.runs, "")
        self.checkpoints = {checkpoint for checkpoint in self.checkpoints if checkpoint <= number}
        self.forkable = min(self.forkable, number)
        self.is_resumed = True
        return number

    def _keeps_files(self, number: int) -> bool:
        """Return whether the files that the first blocks wrote are still theirs.

        A checkpoint restores those of the scratch folder. Others stay as a later block has left them.
        """
        first, later = (set[str]().union(*part) for part in (self.written[:number], self.written[number:]))
        return first.isdisjoint(later)

    def _count_unchanged(self, target: KeyedSession, reader: InputReader) -> int:
        """Return how many blocks from the first are unchanged, with what they have read."""
        if self.is_tainted:
            return 0
        now = reader.now()
        for count, ((block, inputs), run) in enumerate(zip(self.steps, self.runs, strict=True)):
            if count == len(target):
                return count
            new_block, new_inputs = target.session.blocks[count], target.inputs[count]
            if inputs != new_inputs or (block.origin, block.raises) != (new_block.origin, new_block.raises):
                return count
            if not now.are_unchanged(run.inputs):
                return count
        return len(self.runs)
