"""The blocks of a page while it converts: their ids, which of them the page shows, and in what order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

import msgspec

from codeout.errors import PageError
from codeout.markdown.layout import BlockLayout
from codeout.markdown.placeholders import OUR_ID, PARTS, PLACEHOLDER, RegisteredBlock
from codeout.markdown.values import Reference
from codeout.model.blocks import Block


class PageBlocks(msgspec.Struct):
    """The blocks that a page has registered so far."""

    registered: list[RegisteredBlock] = msgspec.field(default_factory=list)
    """All of them, also those that the page does not show."""
    content: dict[str, int] = msgspec.field(default_factory=dict)
    """HTML of blocks that are content of the page → their numbers."""
    filled: set[int] = msgspec.field(default_factory=set)
    """The numbers of the blocks that are filled in already."""

    def add(
        self, block: Block, layout: BlockLayout, suffix: str, *, is_commented: bool, is_in_docstring: bool
    ) -> RegisteredBlock:
        """Register a block, with an id of its own that ends with `suffix`."""
        block_id = self._new_id(block, suffix, is_commented=is_commented)
        registered = RegisteredBlock(len(self.registered), block, layout, block_id, is_commented, is_in_docstring)
        self.registered.append(registered)
        return registered

    def count(self, stashed: str) -> int | None:
        """Return the position of the last block that stashed HTML stands for, from 1; None if it stands for none."""
        numbers = [int(match["fence"]) for match in PLACEHOLDER.finditer(stashed)]
        numbers += [self.content[stashed]] if stashed in self.content else []
        return max(numbers) + 1 if numbers else None

    def find_annotated(self, stashed: str) -> RegisteredBlock | None:
        """Return the block with annotations that stashed HTML stands for."""
        match = PLACEHOLDER.fullmatch(stashed)
        registered = self.registered[int(match["fence"])] if match else None
        return registered if registered and registered.block.annotation_numbers else None

    def note_shown(self, html: str) -> None:
        """Note which blocks the page shows, and where docstrings put theirs."""
        last = max(self.content.values(), default=-1)  # what has run already comes first
        for match in PARTS.finditer(html):
            if match["fence"]:
                registered = self.registered[int(match["fence"])]
                if not registered.is_in_docstring:
                    last = max(last, registered.number)
                elif not registered.is_on_page:
                    registered.follows = last
                registered.is_on_page = True

    @property
    def on_page(self) -> list[RegisteredBlock]:
        """The blocks that the page shows, in reading order."""
        return [each for each in self.in_order if each.is_on_page]

    @property
    def in_order(self) -> list[RegisteredBlock]:
        """All blocks, in reading order."""
        return sorted(self.registered, key=lambda each: each.order)

    def count_above(self, reference: Reference) -> int:
        """Return how many blocks precede a value: those above it in the source, and docstrings above it in the page."""
        if reference.above is None:
            above = self.filled
        else:
            above = {
                each.number for each in self.registered if each.number < reference.above and not each.is_in_docstring
            }
            above |= {number for number in self.filled if self.registered[number].is_in_docstring}
        return max((n for n, each in enumerate(self.in_order, start=1) if each.number in above), default=0)

    def make_ids_unique(self, html: str) -> None:
        """Give blocks other ids than those that headings and other parts of the page have."""
        ids = Counter(OUR_ID.findall(html))
        for each in self.registered:
            if ids[each.block_id] > 1:
                each.block_id = _unique(each.block_id + "-2", {*ids, *(other.block_id for other in self.registered)})

    def check_annotations(self) -> None:
        """Check that each block has as many annotations as the list below it has items.

        Raises:
            PageError: a block has not.
        """
        for each in self.on_page:
            numbers = each.block.annotation_numbers
            if sorted({*numbers}) != [*range(1, each.annotations + 1)]:
                marked = ", ".join(map(str, numbers))
                listed = f"the list below it has {each.annotations}" if each.annotations else "no list follows it"
                raise PageError(f"{each.block}: the code refers to annotations {marked}, but {listed}")

    def _new_id(self, block: Block, suffix: str, *, is_commented: bool) -> str:
        """Return an id: of the section, so that a link to it lasts, or else of the block's number."""
        taken = {each.block_id for each in self.registered}
        number = sum(not each.is_commented for each in self.registered) + 1
        if is_commented:
            return _unique(f"out-comment{suffix}", taken)
        name = f"out-{block.section or number}{suffix}"
        if name in taken:
            name = f"out-{number}{suffix}"
        return _unique(name, taken)


def _unique(name: str, taken: Container[str]) -> str:
    number, unique = 2, name
    while unique in taken:
        unique = f"{name}-{number}"
        number += 1
    return unique
