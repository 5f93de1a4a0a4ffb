"""What stands in the HTML of a page for a block, until the conversion of the page is over."""

from __future__ import annotations

import re
import secrets

import msgspec

from codeout.markdown.layout import BlockLayout
from codeout.markdown.values import MARK
from codeout.model.blocks import Block

TOKEN = secrets.token_hex(8)
"""Part of our placeholders in HTML; no text contains it by chance or by intent."""
PLACEHOLDER = re.compile(  # begins with a literal, for which `re` searches quickly
    r'<(?:(?P<before>p)><)?(?P<element>div|span) class="codeout-pending" id="[^"]*" '
    rf'data-fence="{TOKEN}-(?P<fence>\d+)">'
    rf"</(?P=element)>(?P<after>(?(before)</p>))"
    rf'(?:(?P<notes><ol class="codeout-notes">.*?)<div data-fence-end="{TOKEN}-(?P=fence)"></div>)?',
    re.DOTALL,
)
COMMENT = r"(?P<comment><!--.*?-->)"
PARTS = re.compile(rf"{COMMENT}|{PLACEHOLDER.pattern}", re.DOTALL)
"""What matters of the HTML of a page without values."""
PARTS_WITH_VALUES = re.compile(
    rf"{COMMENT}|{PLACEHOLDER.pattern}"
    r"|(?P<raw><(?P<tag>script|style|pre|code|textarea|svg|math)\b.*?</(?P=tag)>|<[a-zA-Z/][^>]*>)"
    rf"|(?P<mark>{MARK.pattern})",
    re.DOTALL,
)
OUR_ID = re.compile(r'\sid="(out-[^"]+)"')


class RegisteredBlock(msgspec.Struct):
    """A block that was handed over, and what is needed to show it."""

    number: int
    """Its position on the page, from 0."""
    block: Block
    """The block."""
    layout: BlockLayout
    """How it is shown."""
    block_id: str
    """Its id in the page."""
    is_commented: bool = False
    """Whether its source seems to be in an HTML comment; then it runs only if the HTML has it elsewhere."""
    is_in_docstring: bool = False
    """Whether a docstring has it: these are converted when all fences of the page's own text have been."""
    follows: int = -1
    """Of a block in a docstring: the number of the block of the page's own text that precedes it."""
    is_on_page: bool = False
    """Whether the page shows it: a fence in a comment, or in text that was thrown away, is converted as well."""
    annotations: int = 0
    """The number of items of the list below it."""

    @property
    def order(self) -> tuple[int, bool, int]:
        """What puts the blocks of a page in reading order."""
        return (self.follows if self.is_in_docstring else self.number), self.is_in_docstring, self.number

    @property
    def placeholder(self) -> str:
        """The HTML that stands for the block until the conversion is over."""
        element = "div" if self.block.shows_source or not self.layout.arguments["html"] else "span"
        attributes = f'class="codeout-pending" id="{self.block_id}" data-fence="{TOKEN}-{self.number}"'
        return f"<{element} {attributes}></{element}>"

    def placeholder_with(self, notes: str) -> str:
        """Return the placeholder with the list that belongs to the block."""
        return f'{self.placeholder}{notes}<div data-fence-end="{TOKEN}-{self.number}"></div>'
