"""A Python-Markdown extension that turns the formulas found by `pymdownx.arithmatex: {generic: true}` into MathML."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Extension, Markdown
from markdown.treeprocessors import Treeprocessor
from math_core import LatexError, LatexToMathML

# Browsers put the combining arrow of \vec beside the letter; an ordinary arrow above it is where it should be.
VECTOR = re.compile('<mover accent="true">(.{1,40}?)<mo stretchy="false">\u20d7</mo></mover>')
ARROW = r'<mover>\1<mo stretchy="false" lspace="0" rspace="0">→</mo></mover>'
INLINE = (r"\(", r"\)")
DISPLAY = (r"\[", r"\]")


class FormulaError(ValueError):
    """A formula that is not LaTeX; the message shows where."""


Fault = Callable[[str, str], Exception]  # formula, what is wrong with it → what is raised


def _fault(formula: str, problem: str) -> Exception:
    return FormulaError(f"{problem} in the formula {formula!r}")


class _Converter(Treeprocessor):
    def __init__(self, md: Markdown, fault: Fault) -> None:
        super().__init__(md)
        self._fault = fault
        self._latex = LatexToMathML(fancy_error=False, annotation=True)

    def run(self, root: Element) -> None:
        for element in root.iter():
            text = element.text or ""
            if "arithmatex" not in (element.get("class") or "").split():
                continue
            for opening, closing in (INLINE, DISPLAY):
                if text.startswith(opening) and text.endswith(closing):
                    latex = text.removeprefix(opening).removesuffix(closing)
                    element.text = self.md.htmlStash.store(self._convert(latex, opening == DISPLAY[0]))

    def _convert(self, latex: str, display: bool) -> str:
        plain = unescape(latex).strip()
        try:
            formula = VECTOR.sub(ARROW, self._latex.convert_with_local_state(plain, displaystyle=display))
            return formula.replace("<annotation ", "<annotation data-search-exclude ")  # a formula is found once
        except LatexError as problem:
            words = re.sub(r"^\d+: ", "", str(problem)).rstrip(".")  # without the place in the formula
            raise self._fault(plain, words) from problem


class MathmlExtension(Extension):
    """Registers the converter after inline patterns (20) and before what writes out the tree."""

    def __init__(self, fault: Fault = _fault) -> None:
        """Take what makes an exception of a wrong formula, if a plugin knows more of where it stands."""
        super().__init__()
        self._fault = fault

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 (the name that Python-Markdown calls)
        """Register the converter."""
        md.registerExtension(self)
        md.treeprocessors.register(_Converter(md, self._fault), "mathml", 15)


def makeExtension(**options: Any) -> MathmlExtension:  # noqa: N802 (the name that Python-Markdown calls)
    """Return the extension, for Python-Markdown."""
    return MathmlExtension(**options)
