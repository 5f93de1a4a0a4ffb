"""What the conversion of a page leaves behind: its text, its blocks, and how they ran."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

import msgspec

from codeout.markdown.sources import Fence, find_fences
from codeout.model.blocks import HOLE, Block
from codeout.model.outputs import Run
from codeout.render.overview import sentence
from codeout.run.engine import BlockState


class ConvertedPage(msgspec.Struct, frozen=True):
    """What a conversion leaves behind."""

    path: str
    """The path of the page."""
    text: str
    """The Markdown that was converted, with everything that it includes."""
    blocks: tuple[Block, ...]
    """The blocks that the page shows, in source order."""
    states: tuple[BlockState, ...]
    """The state of each."""
    ids: tuple[str, ...]
    """The id of each in the page."""
    fill_text: Callable[[str], str]
    """Fills values into plain text of the page, such as its title."""

    @property
    def runs(self) -> list[Run]:
        """The runs of all blocks; empty while one has not run."""
        runs = [state.run for state in self.states if state.run]
        return runs if len(runs) == len(self.states) else []

    @property
    def summary(self) -> str:
        """How its blocks ran, in a sentence; empty while one has not run."""
        return sentence(self.runs, [run for state in self.states for run in state.recordings])

    def text_with_holes(self) -> str:
        """Return the text with a line in place of each block: its indentation, `HOLE` and the number of the block."""
        return _cut_holes(self.text, tuple(block.code for block in self.blocks))


@cache  # a notebook, a script and the record of the build are made from it
def _cut_holes(text: str, codes: Sequence[str]) -> str:
    lines, done, number = text.split("\n"), 0, 0
    fences = [fence for fence in find_fences(text) if not fence.is_commented and not fence.is_listing]
    parts: list[str] = []
    for position, fence in enumerate(fences):
        if fence.line <= done:
            continue
        above = lines[done : fence.line - 1]
        absent = _count_absent(codes[number:], fences[position:])
        if absent:
            parts, done = [*parts, *above, *_holes(number, absent)], fence.line - 1
            above, number = [], number + absent
        if number < len(codes) and fence.is_code(codes[number]):
            indent = re.match(r"[> \t]*", lines[fence.line - 1])
            parts += [*above, f"{indent[0] if indent else ''}{HOLE}{number}"]
            done, number = min(fence.line + len(fence.body) + 1, len(lines)), number + 1
    return "\n".join([*parts, *lines[done:], *_holes(number, len(codes) - number)])


def _count_absent(codes: Sequence[str], fences: Sequence[Fence]) -> int:
    """Return how many of the next blocks have no fence in the text: of docstrings, or printed by another block."""
    present = (n for n, code in enumerate(codes) if any(fence.is_code(code) for fence in fences))
    return next(present, len(codes))


def _holes(first: int, count: int) -> list[str]:
    return [f"{HOLE}{number}" for number in range(first, first + count)]
