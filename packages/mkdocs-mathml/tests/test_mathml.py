"""Formulas: LaTeX on pages becomes MathML, with a font for it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from markdown import Markdown

from mkdocs_mathml.extension import FormulaError, MathmlExtension
from mkdocs_mathml.font import formula_characters, subset_font
from mkdocs_mathml.plugin import MathmlPlugin

MATRIX = r"""
$$
J = \left(\begin{array}{ccc}
\frac{\partial y_{1}}{\partial x_{1}} & \cdots & 1 \\ \vdots & \ddots & \vdots
\end{array}\right)
$$
"""
MKDOCS_YML = """
site_name: Small
markdown_extensions: [{pymdownx.arithmatex: {generic: true}}, mathml]
plugins: [mathml]
"""


def convert(text: str) -> str:
    settings = {"pymdownx.arithmatex": {"generic": True}}
    return Markdown(extensions=["pymdownx.arithmatex", MathmlExtension()], extension_configs=settings).convert(text)


def build(folder: Path, **pages: str) -> subprocess.CompletedProcess[str]:
    """Build a small site with these pages."""
    (folder / "docs").mkdir()
    for name, text in pages.items():
        (folder / "docs" / f"{name}.md").write_text(text, encoding="utf8")
    (folder / "mkdocs.yml").write_text(MKDOCS_YML)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_inline_and_display_formulas_are_mathml() -> None:
    html = convert(f"Let $a < b$ and $c$.\n{MATRIX}")
    assert html.count("<math>") == 2
    assert html.count('<math display="block">') == 1
    assert "<mo>&lt;</mo>" in html
    assert html.count("<mtd>") == 6


def test_the_arrow_of_a_vector_is_an_ordinary_arrow_above_the_letter() -> None:
    html = convert(r"$\vec{v}$")
    assert re.search("<mover><mi>v</mi><mo[^>]*>→</mo></mover>", html)
    assert "\u20d7" not in html


@pytest.mark.parametrize("formula", [r"$\frac{1$", "$$\n\\foo{x}\n$$"])
def test_a_wrong_formula_is_an_error_that_contains_it(formula: str) -> None:
    with pytest.raises(FormulaError, match=r"in the formula '\\\\(frac|foo)"):
        convert(formula)


def test_a_build_names_page_and_line_of_a_wrong_formula(tmp_path: Path) -> None:
    wrong = "---\ntitle: A\n---\nRight: $a$\n\nWrong: $\\frac{1}$\n"
    build_result = build(tmp_path, index="# Home\n\n$a$\n", second=wrong)
    assert build_result.returncode == 1
    assert "docs/second.md:6: Expected argument but reached end of input in the formula" in build_result.stderr
    assert "Traceback" not in build_result.stderr


def test_a_dollar_amount_is_not_a_formula() -> None:
    assert "<math" not in convert("It costs 5 $ or 6 $ a day.")


def test_a_site_has_the_font_and_every_page_asks_for_it(tmp_path: Path) -> None:
    assert build(tmp_path, index="# Home\n\n$a$\n", second="# Second\n\n$∂$\n").returncode == 0
    font = TTFont(tmp_path / "site/assets/mathml/math.woff")
    assert {ord("a"), ord("∂")} <= set(font.getBestCmap())
    assert "math.woff" in (tmp_path / "site/assets/mathml/math.css").read_text()
    for page in ("index.html", "second/index.html"):
        assert "assets/mathml/math.css" in (tmp_path / "site" / page).read_text()


def test_the_font_has_the_characters_of_the_formulas_and_little_else(tmp_path: Path) -> None:
    (tmp_path / "math.woff").write_bytes(subset_font(frozenset(formula_characters(convert(f"$x$\n{MATRIX}")))))
    font = TTFont(tmp_path / "math.woff")
    assert {ord("∂"), ord("("), ord("1"), 0x1D465} <= set(font.getBestCmap())
    assert ord("∯") not in font.getBestCmap()
    assert "MATH" in font, "the table that lets parentheses grow"
    assert (tmp_path / "math.woff").stat().st_size < 60_000


def test_the_plugin_does_not_edit_pages_so_that_others_may_read_them_ahead() -> None:
    assert "on_page_markdown" not in vars(MathmlPlugin)
