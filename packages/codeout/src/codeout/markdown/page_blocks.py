"""The blocks of a page while it converts, and what stands for each in the HTML until the conversion is over.

There is one list, in reading order. Blocks of the page's own text enter it when they are registered, those of
docstrings when the HTML shows where they are: docstrings are converted when all of the page's own text has been.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Callable, Container, Sequence
from itertools import count
from typing import Any

import msgspec

from codeout.errors import PageError
from codeout.markdown.annotations import Claim
from codeout.markdown.fences import Fence, strip_stamps
from codeout.markdown.layout import BlockLayout
from codeout.model.blocks import HOLE, Block, Session, group_sessions
from codeout.model.outputs import Run
from codeout.render.overview import sentence
from codeout.run.engine import BlockState

TOKEN = secrets.token_hex(8)
"""Part of our placeholders in HTML; no text contains it by chance or by intent."""
PLACEHOLDER = re.compile(  # begins with a literal, for which `re` searches quickly
    r'<(?:(?P<before>p)><)?(?P<element>div|span) class="codeout-pending" id="[^"]*" '
    rf'data-fence="{TOKEN}-(?P<ticket>\d+)">'
    rf"</(?P=element)>(?P<after>(?(before)</p>))"
    rf'(?:(?P<notes><ol class="codeout-notes">.*?)<div data-fence-end="{TOKEN}-(?P=ticket)"></div>)?',
    re.DOTALL,
)
OUR_ID = re.compile(r'\sid="(out-[^"]+)"')


class PageBlock(msgspec.Struct, kw_only=True, eq=False):
    """A block of a page: what it is, how it is shown, and its state once that is known."""

    block: Block
    layout: BlockLayout
    id: str
    ticket: int
    """What its placeholder in the HTML names."""
    fence: int | None = None
    """The number of its fence in the text of the page; None if it is not in it, but in a docstring, for instance."""
    is_commented: bool = False
    """Whether its fence seems to be in an HTML comment; then it runs only if the HTML has it elsewhere."""
    is_in_docstring: bool = False
    is_content: bool = False
    """Whether it is part of the HTML already: what it printed, as Markdown."""
    is_shown: bool = False
    """Whether the page shows it: a fence in a comment, or in text that was thrown away, is converted as well."""
    is_filled: bool = False
    annotations: int = 0
    """The number of items of the list below it."""
    state: BlockState = BlockState()

    @property
    def placeholder(self) -> str:
        """The HTML that stands for the block until the conversion is over."""
        element = "div" if self.block.shows_source or not self.layout.arguments["html"] else "span"
        attributes = f'class="codeout-pending" id="{self.id}" data-fence="{TOKEN}-{self.ticket}"'
        return f"<{element} {attributes}></{element}>"

    def claim_list(self, notes: str, count: int) -> str:
        """Take the list of annotations below the block; return the placeholder with it."""
        self.annotations = count
        return f'{self.placeholder}{notes}<div data-fence-end="{TOKEN}-{self.ticket}"></div>'

    def check_annotations(self) -> None:
        """Check that the block has as many annotations as the list below it has items.

        Raises:
            PageError: it has not.
        """
        numbers = self.block.annotation_numbers
        if sorted({*numbers}) != [*range(1, self.annotations + 1)]:
            marked = ", ".join(map(str, numbers))
            listed = f"the list below it has {self.annotations}" if self.annotations else "no list follows it"
            raise PageError(f"{self.block}: the code refers to annotations {marked}, but {listed}")


class PageBlocks(msgspec.Struct):
    """The blocks that a page has registered so far."""

    in_order: list[PageBlock] = msgspec.field(default_factory=list)
    """In reading order; without those of docstrings of which it is not known yet where they are."""
    _registered: list[PageBlock] = msgspec.field(default_factory=list)
    _by_content: dict[str, PageBlock] = msgspec.field(default_factory=dict)

    def add(self, layout: BlockLayout, suffix: str, *, is_commented: bool, **properties: Any) -> PageBlock:
        """Register a block, by its layout, what its id ends with, and other properties of `PageBlock`."""
        block_id, ticket = self._new_id(layout.block, suffix, is_commented=is_commented), len(self._registered)
        new = PageBlock(
            block=layout.block, layout=layout, id=block_id, ticket=ticket, is_commented=is_commented, **properties
        )
        self._registered.append(new)
        if not new.is_in_docstring:
            self.in_order.append(new)
        return new

    def __bool__(self) -> bool:
        return bool(self._registered)

    @property
    def shown(self) -> list[PageBlock]:
        """The blocks that the page shows, in reading order."""
        return [block for block in self.in_order if block.is_shown]

    def by_ticket(self, ticket: str) -> PageBlock:
        """Return the block that a placeholder names."""
        return self._registered[int(ticket)]

    def note_content(self, block: PageBlock, html: str) -> None:
        """Note that a block is part of the HTML already."""
        block.is_content = True
        self._by_content[html] = block

    def last_in(self, stashed: str) -> PageBlock | None:
        """Return the last block that stashed HTML stands for; None if it stands for none."""
        found = [self.by_ticket(match["ticket"]) for match in PLACEHOLDER.finditer(stashed)]
        found += [self._by_content[stashed]] if stashed in self._by_content else []
        return max(found, key=lambda block: block.ticket, default=None)

    def find_claim(self, stashed: str) -> Claim | None:
        """Return what takes the list below the annotated block that stashed HTML stands for, if it stands for one."""
        match = PLACEHOLDER.fullmatch(stashed)
        block = self.by_ticket(match["ticket"]) if match else None
        return block.claim_list if block and block.block.annotation_numbers else None

    def note_shown(self, html: str) -> None:
        """Note which blocks a part of the page shows, and put those of docstrings where it shows them."""
        # What is part of the HTML already has run already, so it comes first.
        after = 1 + max((n for n, block in enumerate(self.in_order) if block.is_content), default=-1)
        # A placeholder in a comment is none: the page does not show it.
        matches = re.finditer(rf"<!--.*?-->|{PLACEHOLDER.pattern}", html, re.DOTALL)
        for block in (self.by_ticket(match["ticket"]) for match in matches if match["ticket"]):
            if block not in self.in_order:
                self.in_order.insert(after, block)
            after = max(after, self.in_order.index(block) + 1)
            block.is_shown = True

    def last_above(self, above: PageBlock | None, *, is_nested: bool) -> PageBlock | None:
        """Return the last block above a place, by the one above it in the text, which may be part of the page only."""
        # What has been filled in so far is above it in the page.
        for block in reversed(self.in_order):
            if block is above or (block.is_filled and (block.is_in_docstring or (is_nested and not above))):
                return block
        return None

    def split(self, last: PageBlock | None) -> tuple[list[PageBlock], list[PageBlock]]:
        """Return the blocks that the page shows: those down to one, and those below it."""
        end = self.in_order.index(last) + 1 if last else 0
        above, below = self.in_order[:end], self.in_order[end:]
        return [block for block in above if block.is_shown], [block for block in below if block.is_shown]

    def make_ids_unique(self, html: str) -> None:
        """Give blocks other ids than those that headings and other parts of the page have."""
        ids = Counter(OUR_ID.findall(html))
        for block in self._registered:
            if ids[block.id] > 1:
                block.id = _unique(block.id + "-2", {*ids, *(other.id for other in self._registered)})

    def _new_id(self, block: Block, suffix: str, *, is_commented: bool) -> str:
        """Return an id: of the section, so that a link to it lasts, or else of the block's number."""
        taken = {other.id for other in self._registered}
        number = sum(not other.is_commented for other in self._registered) + 1
        name = f"out-{'comment' if is_commented else block.section or number}{suffix}"
        return _unique(f"out-{number}{suffix}" if name in taken and not is_commented else name, taken)


class ConvertedPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the conversion of a page leaves behind."""

    path: str
    text: str
    """The Markdown that was converted, with everything that it includes."""
    fences: Sequence[Fence]
    blocks: tuple[PageBlock, ...]
    """The blocks that the page shows, in reading order."""
    fill_title: Callable[[str], str]
    """Fills values into the HTML of the page's title."""

    @property
    def runs(self) -> list[Run]:
        """The runs of all blocks; empty while one has not run."""
        runs = [block.state.run for block in self.blocks if block.state.run]
        return runs if len(runs) == len(self.blocks) else []

    @property
    def summary(self) -> str:
        """How its blocks ran, in a sentence; empty while one has not run."""
        return sentence(self.runs, [run for block in self.blocks for run in block.state.recordings])

    def text_with_holes(self) -> str:
        """Return the text with a line in place of each block: its indentation, `HOLE` and the number of the block.

        A block that is not in the text, like one of a docstring, has its line above the next one.
        """
        lines, done, parts, waiting = strip_stamps(self.text).split("\n"), 0, list[str](), list[str]()
        for number, block in enumerate(self.blocks):
            if block.fence is None:
                waiting.append(f"{HOLE}{number}")
                continue
            fence = self.fences[block.fence]
            parts += [*lines[done : fence.line - 1], *waiting, f"{fence.indent}{HOLE}{number}"]
            done, waiting = fence.end, []
        return "\n".join([*parts, *lines[done:], *waiting])


def sessions_of(blocks: Sequence[PageBlock]) -> list[tuple[Session, list[PageBlock]]]:
    """Return the sessions that blocks form, each with its blocks."""
    sessions = group_sessions(block.block for block in blocks)
    return [(session, [blocks[number] for number in session.numbers]) for session in sessions]


def _unique(name: str, taken: Container[str]) -> str:
    return next(unique for n in count(1) if (unique := f"{name}-{n}" if n > 1 else name) not in taken)
