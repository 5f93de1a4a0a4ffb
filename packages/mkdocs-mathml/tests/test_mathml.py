"""Formulas: LaTeX in pages to MathML, and the font that goes with it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from markdown import Markdown

from mkdocs_mathml.extension import FormulaError, MathmlExtension
from mkdocs_mathml.plugin import characters, font

MATRIX = r"""
$$
J = \left(\begin{array}{ccc}
\frac{\partial y_{1}}{\partial x_{1}} & \cdots & 1 \\ \vdots & \ddots & \vdots
\end{array}\right)
$$
"""


def convert(text: str) -> str:
    settings = {"pymdownx.arithmatex": {"generic": True}}
    return Markdown(extensions=["pymdownx.arithmatex", MathmlExtension()], extension_configs=settings).convert(text)


def test_formulas_in_text_and_by_themselves_are_mathml() -> None:
    shown = convert(f"Let $a < b$ and $c$.\n{MATRIX}")
    assert shown.count("<math>") == 2
    assert shown.count('<math display="block">') == 1
    assert "<mo>&lt;</mo>" in shown
    assert shown.count("<mtd>") == 6


def test_the_arrow_of_a_vector_is_an_ordinary_arrow_above_the_letter() -> None:
    shown = convert(r"$\vec{v}$")
    assert re.search("<mover><mi>v</mi><mo[^>]*>→</mo></mover>", shown)
    assert "\u20d7" not in shown


@pytest.mark.parametrize("formula", [r"$\frac{1$", "$$\n\\foo{x}\n$$"])
def test_a_wrong_formula_is_an_error_that_shows_it(formula: str) -> None:
    with pytest.raises(FormulaError, match=r"in the formula '\\\\(frac|foo)"):
        convert(formula)


def test_a_build_says_where_a_wrong_formula_stands(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("---\ntitle: A\n---\nRight: $a$\n\nWrong: $\\frac{1}$\n")
    settings = "markdown_extensions: [{pymdownx.arithmatex: {generic: true}}, mathml]\nplugins: [mathml]\n"
    (tmp_path / "mkdocs.yml").write_text(f"site_name: Small\n{settings}")
    command = [sys.executable, "-m", "mkdocs", "build"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "docs/index.md:6: Expected argument but reached end of input in the formula" in done.stderr
    assert "Traceback" not in done.stderr


def test_money_is_no_formula() -> None:
    assert "<math" not in convert("It costs 5 $ or 6 $ a day.")


def test_the_font_has_the_characters_of_the_formulas_and_little_else(tmp_path: Path) -> None:
    (tmp_path / "math.woff").write_bytes(font(frozenset(characters(convert(f"$x$\n{MATRIX}")))))
    cut = TTFont(tmp_path / "math.woff")
    assert {ord("∂"), ord("("), ord("1"), 0x1D465} <= set(cut.getBestCmap())
    assert ord("∯") not in cut.getBestCmap()
    assert "MATH" in cut, "the table that lets parentheses grow"
    assert (tmp_path / "math.woff").stat().st_size < 60_000
