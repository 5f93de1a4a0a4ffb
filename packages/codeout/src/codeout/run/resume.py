"""A session whose process is alive: what has run in it, and going back to before what has changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codeout.cache import environment
from codeout.cache.keys import KeyedSession, KeyInputs
from codeout.config import Config
from codeout.model.blocks import Block
from codeout.model.outputs import Run

if TYPE_CHECKING:
    from codeout.run.process import KernelProcess


@dataclass(slots=True)
class ResumableSession:
    """A session whose process is alive, with what has run in it so far."""

    process: KernelProcess
    """The kernel process."""
    steps: list[tuple[Block, KeyInputs]] = field(default_factory=list)
    """The blocks that have run."""
    runs: list[Run] = field(default_factory=list)
    """Their runs."""
    checkpoints: set[int] = field(default_factory=set)
    """The numbers of blocks after which there is a checkpoint."""
    forkable: int = 0
    """The number of blocks, from the first, after which a checkpoint was possible."""

    def add(self, block: Block, inputs: KeyInputs, run: Run) -> None:
        """Note that a block has run."""
        self.steps.append((block, inputs))
        self.runs.append(run)

    def rewind(self, target: KeyedSession, config: Config) -> int:
        """Resume from the last checkpoint above what has changed; return how many blocks had run, 0 without one."""
        same = self._count_unchanged(target, config)
        number = max((checkpoint for checkpoint in self.checkpoints if checkpoint <= same), default=0)
        if not number or not self.process.resume(number):
            self.process.close()
            return 0
        del self.steps[number:], self.runs[number:]
        self.checkpoints = {checkpoint for checkpoint in self.checkpoints if checkpoint <= number}
        self.forkable = min(self.forkable, number)
        return number

    def _count_unchanged(self, target: KeyedSession, config: Config) -> int:
        """Return how many blocks from the first are unchanged, with the modules that they loaded."""
        for count, ((block, inputs), run) in enumerate(zip(self.steps, self.runs, strict=True)):
            if count == len(target):
                return count
            new_block, new_inputs = target.session.blocks[count], target.inputs[count]
            if inputs != new_inputs or (block.origin, block.raises) != (new_block.origin, new_block.raises):
                return count
            if run.modules != environment.digest_files([path for path, _ in run.modules], config):
                return count
        return len(self.runs)
