"""Values in running text: finds `{name}` in a converted page, and puts in what the blocks around it made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE, AtomicString

from codeout.errors import PageError
from codeout.markdown.page import Plan, Site
from codeout.model import prose
from codeout.model.outputs import Provenance, Run
from codeout.run.engine import BlockState

NOTHING = Run((), Provenance("", "", (), 0.0, "", ()))  # of a block that has never run


class Values(Treeprocessor):
    """Puts values of the page's sessions where its text names them."""

    def __init__(self, md: Markdown, site: Site, plan: Callable[[], Plan]) -> None:
        """Take the site, and what returns the plan of the page that is being converted."""
        super().__init__(md)
        self._site, self._plan = site, plan
        self._above = 0  # blocks above the text that is looked at

    def run(self, root: Element) -> None:
        """Go through the text of a page, in the order in which a reader meets it."""
        self._above = 0
        if self._plan().blocks and prose.REFERENCE.search(self._plan().text):
            self._inside(root)

    def _inside(self, element: Element) -> None:
        if element.tag in ("code", "pre", "script", "style"):
            return
        children = list(element)
        before = self._split(element.text)
        if before:
            element.text, element[:0] = before[0], before[1]
        for child in children:
            self._inside(child)
            after = self._split(child.tail)
            if after:
                place = list(element).index(child) + 1
                child.tail, element[place:place] = after[0], after[1]

    def _split(self, text: str | None) -> tuple[str, list[Element]] | None:
        """Count the blocks in a text; return it up to the first name in it, and each value with what follows it."""
        plan = self._plan()
        for match in HTML_PLACEHOLDER_RE.finditer(text or ""):
            shown = plan.html[self._above] if self._above < len(plan.html) else None
            self._above += self.md.htmlStash.rawHtmlBlocks[int(match[1])] == shown
        if not text or isinstance(text, AtomicString) or not prose.REFERENCE.search(text):
            return None
        matches = list(prose.REFERENCE.finditer(text))
        ends = [match.start() for match in matches[1:]] + [len(text)]
        found = []
        for match, end in zip(matches, ends, strict=True):
            value = self._value(match[0], match["name"], (match["format"] or "")[1:])
            value.tail = text[match.end() : end]
            found.append(value)
        return text[: matches[0].start()], found

    def _value(self, literal: str, name: str, spec: str) -> Element:
        plan, site, above = self._plan(), self._site, self._above
        fault = partial(_fault, site.page, site.offset, plan.text, literal)  # a live page asks when others have come
        element = Element("span", {"class": "codeout-named"})

        def words(runs: Sequence[Run]) -> str:
            value = prose.find_value(name, runs, above)
            if value is None:
                known = prose.value_names(runs)
                others = (
                    f", but {', '.join(known)}" if known else "; they have made none: one failed, or has yet to run"
                )
                raise fault(f"no block of the page makes {name!r}{others}")
            try:
                return value.formatted(spec)
            except ValueError as problem:
                raise fault(str(problem)) from problem

        if site.behind is None:
            try:
                element.text = words([seen.run for seen in plan.seen if seen.run])
            except PageError as problem:
                raise site.fault(str(problem)) from problem
            return element
        anchor = plan.seen[above - 1]
        now = site.behind.run

        def show(_: BlockState) -> str:
            runs = [now(seen.name) or seen.run or seen.last for seen in plan.seen]
            try:
                return words([run or NOTHING for run in runs])
            except PageError as problem:  # perhaps what makes it has not run yet
                return f"{literal} ({problem})" if all(runs) else "…"

        pseudonym = f"{anchor.name} {literal}"
        site.named.setdefault(anchor.name, {})[pseudonym] = show
        element.attrib |= {"data-codeout": pseudonym, "data-key": anchor.key}
        if anchor.run is None:
            element.attrib["class"] += " codeout-stale"
        element.text = show(anchor)
        return element


def _fault(page: str, offset: int, text: str, literal: str, problem: str) -> PageError:
    line = next((number for number, line in enumerate(text.split("\n"), start=1) if literal in line), 1)
    return PageError(f"{page}:{offset + line}: {literal}: {problem}; write \\{{ for a brace")
