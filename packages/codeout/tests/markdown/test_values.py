"""A page's text says what its blocks made of a value, or the build fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown import Markdown
from markdown_exec import formatter, validator

from codeout import PageError
from pages import convert_page

EXTENSIONS: dict[str, dict[str, object]] = {
    "pymdownx.tabbed": {"alternate_style": True},
    "attr_list": {},
    "markdown.extensions.tables": {},
}


def convert(text: str, root: Path) -> str:
    fence = {"name": "python", "class": "python", "validator": validator, "format": formatter}
    settings: dict[str, dict[str, object]] = {
        **EXTENSIONS,
        "pymdownx.superfences": {"custom_fences": [fence]},
        "codeout": {"root": str(root), "strict_values": True},
    }
    return Markdown(extensions=list(settings), extension_configs=settings).convert(text)


def page(*parts: str) -> str:
    return "\n\n".join(
        f'```python exec="on" session="s" source="above"\n{p[1:]}\n```' if p.startswith("=") else p for p in parts
    )


def test_text_shows_the_value_that_the_block_above_it_left(tmp_path: Path) -> None:
    html = convert(page("=x = 1", "now {x}", "=x = 2; y = 0.531", "then {x}, **bold {y:.0%}** of {x}"), tmp_path)
    bare = html.replace('<span class="codeout-named">', "").replace("</span>", "")
    assert "now 1<" in bare
    assert "then 2, <strong>bold 53%</strong> of 2<" in bare


def test_code_and_escaped_braces_are_left_alone(tmp_path: Path) -> None:
    html = convert(page("=x = 1", "`{x}` and \\{x} and *x*{.y}", "    {x} in a code block"), tmp_path)
    assert "codeout-named" not in html
    assert "<code>{x}</code> and {x}" in html


def test_headings_tables_and_lists_have_values_too(tmp_path: Path) -> None:
    html = convert(page("=x = 1", "## Of {x}", "- item {x}", "| a |\n| --- |\n| {x} |"), tmp_path)
    assert html.count('<span class="codeout-named">1</span>') == 3


def test_a_name_that_no_block_makes_is_an_error_with_the_line_and_the_names(tmp_path: Path) -> None:
    with pytest.raises(
        PageError, match=r"^page:5: \{z\}: no block sets 'z' to a number or .*; available: x; write \\\{"
    ):
        convert(page("=x = 1", "now {z}"), tmp_path)


def test_where_no_block_makes_any_value_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(PageError, match=r"no block sets 'x' to a number or a string; available: none"):
        convert(page("{x}", "=print(1)"), tmp_path)


def test_a_wrong_format_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PageError, match=r"^page:5: \{x:q\}: Unknown format code"):
        convert(page("=x = 1", "now {x:q}"), tmp_path)


def test_a_page_without_blocks_keeps_its_braces(tmp_path: Path) -> None:
    assert convert("now {z}", tmp_path) == "<p>now {z}</p>"


@pytest.mark.parametrize("code", ["x = [1]", "x = object()", "_x = 1", "x = 'a' * 201", "x = 1 << 65"])
def test_only_numbers_and_short_texts_can_be_named(code: str, tmp_path: Path) -> None:
    with pytest.raises(PageError, match="no block sets"):
        convert(page(f"={code}", "now {x}"), tmp_path)


def test_a_value_comes_from_the_store(tmp_path: Path) -> None:
    text = page("=import time; x = time.time()", "now {x}")
    assert convert(text, tmp_path) == convert(text, tmp_path)


def test_a_page_whose_blocks_have_not_run_defines_no_value_yet_and_that_is_no_error(tmp_path: Path) -> None:
    assert len(convert_page(page("=x = 1", "now {x}"), tmp_path, strict=True).blocks) == 1
