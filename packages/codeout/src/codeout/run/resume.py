"""A session whose worker is there: what has run in it so far, and going back to before what has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codeout.cache import environment
from codeout.cache.keys import KeyInputs
from codeout.config import Config
from codeout.model.blocks import Block
from codeout.model.outputs import Run
from codeout.run.job import unchanged

if TYPE_CHECKING:
    from codeout.run.process import KernelProcess


@dataclass(slots=True)
class ResumableSession:
    """A session whose worker is there, with what has run in it so far."""

    worker: KernelProcess
    blocks: list[Block] = field(default_factory=list)
    recipes: list[KeyInputs] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    copies: set[int] = field(default_factory=set)  # after how many blocks there is a copy of the process
    forks: int = 0  # after how many blocks, from the first, it could be copied

    def add(self, block: Block, recipe: KeyInputs, run: Run) -> None:
        """Note that a block has run."""
        self.blocks.append(block)
        self.recipes.append(recipe)
        self.runs.append(run)

    def go_on(self, session: Sequence[Block], recipes: Sequence[KeyInputs], config: Config) -> int:
        """Go back to the last copy before anything that is new; return how many blocks had run, 0 if there is none."""
        same = self._same(session, recipes, config)
        number = max((copy for copy in self.copies if copy <= same), default=0)
        if not number or not self.worker.resume(number):
            self.worker.close()
            return 0
        del self.blocks[number:], self.recipes[number:], self.runs[number:]
        self.copies = {copy for copy in self.copies if copy <= number}
        self.forks = min(self.forks, number)
        return number

    def _same(self, session: Sequence[Block], recipes: Sequence[KeyInputs], config: Config) -> int:
        """Return how many blocks from the first are what they were, with the modules that they have loaded."""
        same = unchanged(self.blocks, self.recipes, session, recipes)
        for count, run in enumerate(self.runs[:same]):
            if run.modules != environment.digests([path for path, _ in run.modules], config):
                return count
        return min(same, len(self.runs))
