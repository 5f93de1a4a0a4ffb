"""What the conversions of one site share, and the plan of the page that is being converted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pymdownx.superfences import SuperFencesException

from codeout.errors import CodeoutError, PageError
from codeout.markdown.finder import Finder
from codeout.markdown.layouts import LayoutCache
from codeout.model.blocks import Block, anchors
from codeout.run.engine import BlockState, Engine

if TYPE_CHECKING:
    from codeout.run.live import LiveSessions


class FenceError(SuperFencesException, CodeoutError):
    """A mistake found while a fence is formatted; superfences lets no other exception through."""


Where = tuple[str, int, str]  # page, lines above its text, text
Planned = tuple[list[Block], list[BlockState]]
Show = Callable[[BlockState], str]  # → HTML


@dataclass(slots=True)
class Site:
    """What the conversions of one site share: the engine, and the page that is being converted."""

    engine: Engine
    behind: LiveSessions | None = None  # what runs behind the pages of a live server; else pages wait for their runs
    layouts: LayoutCache | None = None  # of blocks that were made before, if a plugin keeps them
    page: str = "page"  # the path of the page, if a plugin has told it
    offset: int = 0  # lines of its file above the text that is converted
    known: dict[Where, Planned] = field(default_factory=dict)  # what a plugin has planned ahead
    shows: dict[str, Show] = field(default_factory=dict)  # by name: how a live page shows a block that has run
    named: dict[str, dict[str, Show]] = field(default_factory=dict)  # by a block's name: the values in the text below
    fault: Callable[[str], Exception] = PageError  # makes what the generator shows as a message

    def plan(self, text: str, finder: Finder) -> Planned:
        """Return the blocks of the page that is being converted, and what is known of them."""
        planned = self.known.get((self.page, self.offset, text))
        if planned is None:
            blocks = finder.find(text, self.page, self.offset)
            planned = blocks, self.look(blocks)
        return planned

    def look(self, blocks: Sequence[Block]) -> list[BlockState]:
        """Return what is known of blocks: all of it, or on a live server what is known now."""
        if self.behind:
            return self.behind.look(blocks)
        return self.engine.show(blocks)


@dataclass(slots=True)
class Plan:
    """The blocks of a page, and how far its conversion is."""

    blocks: list[Block] = field(default_factory=list)
    seen: list[BlockState] = field(default_factory=list)
    shown: int = 0
    html: list[str] = field(default_factory=list)  # of each block that is shown so far
    text: str = ""

    def next(self, code: str) -> tuple[Block, BlockState, str]:
        """Return the block of the fence that is formatted now, its run, and a name for it, unique in the page."""
        number = self.shown
        if number == len(self.blocks) or self.blocks[number].code.strip() != code.strip():
            known = str(self.blocks[number]) if number < len(self.blocks) else "the end of the page"
            raise FenceError(f"{known}: a preprocessor has changed this fence, so it is not the block that was run")
        self.shown += 1
        return self.blocks[number], self.seen[number], anchors(self.blocks)[number]
