"""Notes to lines of code: `# (1)!` in a block marks a line, and the numbered list below the block has the words.

The marks are those of Material for MkDocs; here they work in a tab, too, and a reader needs no script for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE

from codeout.markdown.page import Plan, Site

HIGHLIGHTED = re.compile(  # by Pygments
    r'<span class="(?P<kind>c1?)">(?P<words>[^<]*?)(?P<gap> *)# \((?P<number>\d+)\)!</span>'
)
SOURCE = re.compile(r'<div class="(?:[\w-]+ )*highlight\b')
DIVISION = re.compile(r"<(/?)div\b[^>]*>")
PLACE = '<ol class="codeout-notes"></ol>'  # stands after a block's code until its list is known


def marked(html: str, marks: Sequence[int]) -> str:
    """Return the HTML of a block with its marks as numbers, and a place after its code for what they say."""
    source = SOURCE.search(html)
    if not marks or source is None:
        return html
    end = _end(html, source.start())
    code = HIGHLIGHTED.sub(_number, html[source.start() : end], count=len(marks))
    return html[: source.start()] + code + PLACE + html[end:]


def _number(mark: re.Match[str]) -> str:
    words = f'<span class="{mark["kind"]}">{mark["words"]}</span>{mark["gap"]}' if mark["words"] else ""
    # Still a comment: who copies the code copies Python, and Material's own annotations find it where they are on.
    number = mark["number"]
    return f'{words}<span class="{mark["kind"]} codeout-mark" data-note="{number}"># ({number})</span>'


def _end(html: str, start: int) -> int:
    """Return where the division that begins at `start` is closed."""
    depth = 0
    for tag in DIVISION.finditer(html, start):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return tag.end()
    return len(html)


class Annotations(Treeprocessor):
    """Moves the list below a block whose code has marks to the end of that code."""

    def __init__(self, md: Markdown, site: Site, plan: Callable[[], Plan]) -> None:
        """Take the site, and what returns the plan of the page that is being converted."""
        super().__init__(md)
        self._site, self._plan = site, plan

    def run(self, root: Element) -> None:
        """Go through the blocks of a page.

        Raises:
            Exception: a mark has no note, or a note no mark; of the kind that the site's generator shows as a message.
        """
        plan = self._plan()
        waiting = {html: number for number, html in enumerate(plan.html) if PLACE in html}
        if not waiting:
            return
        for parent in root.iter():
            for child, after in pairwise([*parent, None]):
                place = self._stashed(child)
                html = "" if place is None else str(self.md.htmlStash.rawHtmlBlocks[place])
                if child is None or place is None or html not in waiting:
                    continue
                notes = after if after is not None and after.tag == "ol" else None
                self._check(waiting.pop(html), [] if notes is None else notes.findall("li"))
                if notes is not None:
                    parent.remove(notes)
                    notes.set("class", "codeout-notes")
                    child.tail, notes.tail = notes.tail, None
                    self.md.htmlStash.rawHtmlBlocks[place] = html.replace(PLACE, self.md.serializer(notes))
        for number in waiting.values():  # of a block that is no paragraph of its own: nothing can follow it
            self._check(number, [])

    @staticmethod
    def _stashed(element: Element | None) -> int | None:
        """Return which stashed HTML a paragraph stands for, if it is there for nothing else."""
        if element is None or element.tag != "p":
            return None
        match = HTML_PLACEHOLDER_RE.fullmatch((element.text or "").strip())
        return int(match[1]) if match else None

    def _check(self, number: int, notes: Sequence[Element]) -> None:
        block = self._plan().blocks[number]
        if sorted({*block.marks}) != [*range(1, len(notes) + 1)]:
            marks = ", ".join(map(str, block.marks))
            has = f"the numbered list below it has {len(notes)}" if notes else "no numbered list comes right below it"
            raise self._site.fault(f"{block}: its code marks the notes {marks}, but {has}")
