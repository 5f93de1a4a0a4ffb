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

INLINE = (r"\(", r"\)")
DISPLAY = (r"\[", r"\]")
VECTOR = re.compile('<mover accent="true">(.{1,40}?)<mo stretchy="false">\u20d7</mo></mover>')
ARROW = r'<mover>\1<mo stretchy="false" lspace="0" rspace="0">→</mo></mover>'
"""Browsers draw the combining arrow of `\\vec` next to the letter; they draw an ordinary arrow above it."""


class FormulaError(ValueError):
    """A formula that is not valid LaTeX; the message contains it."""


ErrorFactory = Callable[[str, str], Exception]
"""Makes the exception for a formula and what is wrong with it."""


def formula_error(formula: str, problem: str) -> Exception:
    """Return an exception that names the formula, but not its page."""
    return FormulaError(f"{problem} in the formula {formula!r}")


class MathmlExtension(Extension):
    """Registers the converter."""

    def __init__(self, make_error: ErrorFactory = formula_error) -> None:
        """Take a function that makes an exception for a wrong formula; a plugin knows the page and the line."""
        super().__init__()
        self._make_error = make_error

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 (the name that Python-Markdown calls)
        """Run after inline patterns (20), and before the tree is serialized."""
        md.registerExtension(self)
        md.treeprocessors.register(_Converter(md, self._make_error), "mathml", 15)


class _Converter(Treeprocessor):
    def __init__(self, md: Markdown, make_error: ErrorFactory) -> None:
        super().__init__(md)
        self._make_error = make_error
        self._latex = LatexToMathML(fancy_error=False, annotation=True)

    def run(self, root: Element) -> None:
        for element in root.iter():
            text = element.text or ""
            if "arithmatex" not in (element.get("class") or "").split():
                continue
            for opening, closing in (INLINE, DISPLAY):
                if text.startswith(opening) and text.endswith(closing):
                    latex = unescape(text.removeprefix(opening).removesuffix(closing)).strip()
                    element.text = self.md.htmlStash.store(self._convert(latex, is_display=opening == DISPLAY[0]))

    def _convert(self, latex: str, *, is_display: bool) -> str:
        try:
            mathml = VECTOR.sub(ARROW, self._latex.convert_with_local_state(latex, displaystyle=is_display))
        except LatexError as error:
            problem = re.sub(r"^\d+: ", "", str(error)).rstrip(".")  # without the position in the formula
            raise self._make_error(latex, problem) from error
        return mathml.replace("<annotation ", "<annotation data-search-exclude ")  # the search indexes a formula once


def makeExtension(**options: Any) -> MathmlExtension:  # noqa: N802 (the name that Python-Markdown calls)
    """Return the extension, for Python-Markdown."""
    return MathmlExtension(**options)
