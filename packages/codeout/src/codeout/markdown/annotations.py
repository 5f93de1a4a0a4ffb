"""Annotations of code: `# (1)!` marks a line of a block, and item 1 of the numbered list below the block is its text.

The markers are those of Material for MkDocs; here they work inside a tab, too, and need no script.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE

HIGHLIGHTED = re.compile(  # by Pygments
    r'<span class="(?P<kind>c1?)">(?P<comment>[^<]*?)(?P<gap> *)# \((?P<number>\d+)\)!</span>'
)
SOURCE = re.compile(r'<div class="(?:[\w-]+ )*highlight\b')
DIVISION = re.compile(r"<(/?)div\b[^>]*>")
LIST_SLOT = '<ol class="codeout-notes"></ol>'
"""Stands after a block's code until its list is known."""
Claim = Callable[[str, int], str]
"""By the HTML of the list below a block, and the number of its items: returns what stands for both from now on."""


def number_marks(html: str, numbers: Sequence[int]) -> str:
    """Return the HTML of a block with its markers as numbers, and a slot for the list after its code."""
    source = SOURCE.search(html)
    if not numbers or source is None:
        return html
    end = _end_of_division(html, source.start())
    code = HIGHLIGHTED.sub(_number, html[source.start() : end], count=len(numbers))
    return html[: source.start()] + code + LIST_SLOT + html[end:]


def _number(mark: re.Match[str]) -> str:
    comment = f'<span class="{mark["kind"]}">{mark["comment"]}</span>{mark["gap"]}' if mark["comment"] else ""
    # Still a comment: who copies the code copies Python, and Material's own annotations find it where they are on.
    number = mark["number"]
    return f'{comment}<span class="{mark["kind"]} codeout-mark" data-note="{number}"># ({number})</span>'


def _end_of_division(html: str, start: int) -> int:
    depth = 0
    for tag in DIVISION.finditer(html, start):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return tag.end()
    return len(html)


class ListFinder(Treeprocessor):
    """Gives the list below an annotated block to that block."""

    def __init__(self, md: Markdown, find_claim: Callable[[str], Claim | None]) -> None:
        """Take what returns the claim of the annotated block that stashed HTML stands for, if it stands for one."""
        super().__init__(md)
        self._find_claim = find_claim

    def run(self, root: Element) -> None:
        """Go through the blocks of a page that are paragraphs of their own, and what follows each."""
        stash = self.md.htmlStash.rawHtmlBlocks
        for parent in root.iter():
            for child, following in pairwise([*parent]):
                stashed = HTML_PLACEHOLDER_RE.fullmatch((child.text or "").strip())
                if stashed is None or (child.tag, following.tag) != ("p", "ol"):
                    continue
                if claim := self._find_claim(str(stash[int(stashed[1])])):
                    parent.remove(following)
                    following.set("class", "codeout-notes")
                    child.tail, following.tail = following.tail, None
                    stash[int(stashed[1])] = claim(self.md.serializer(following), len(following.findall("li")))
