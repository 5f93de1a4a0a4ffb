"""Blocks and values in every container of Markdown: each is found where it is converted."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from markdown import Extension, Markdown
from markdown_exec import formatter, validator

from codeout import CodeoutError
from codeout.markdown.extension import CodeoutExtension
from small_sites import fence, indent, plain

LANGUAGES = ("python", "pycon", "md")
EXTENSIONS = ("pymdownx.details", "pymdownx.blocks.details", "pymdownx.blocks.admonition", "pymdownx.tilde")
ONE, TWO, THREE = (fence(f"x = {number}") for number in (1, 2, 3))


def converter(root: Path, **options: Any) -> Markdown:
    """Return what converts pages as a site with many extensions does."""
    fences = [{"name": name, "class": name, "validator": validator, "format": formatter} for name in LANGUAGES]
    names: list[str | Extension] = [
        "admonition", "attr_list", "def_list", "footnotes", "md_in_html", "tables", "abbr", "toc",
        "pymdownx.superfences", "pymdownx.highlight", "pymdownx.tabbed", *EXTENSIONS,
        CodeoutExtension(root=root, **options),
    ]  # fmt: skip
    settings: dict[str, dict[str, object]] = {
        "pymdownx.superfences": {"custom_fences": fences},
        "pymdownx.tabbed": {"alternate_style": True},
        "toc": {"permalink": True},
    }
    return Markdown(extensions=names, extension_configs=settings)


def convert(text: str, root: Path, **options: Any) -> str:
    """Return the HTML of a page."""
    return converter(root, **options).convert(text)


def text_of(shown: str) -> str:
    """Return the text of HTML, with single spaces."""
    return " ".join(plain(shown).split())


CONTAINERS = {
    "a list": "- item\n\n{block}\n",
    "a numbered list": "1. item\n\n{block}\n",
    "an admonition": "!!! note\n\n{block}\n",
    "details": "??? note\n\n{block}\n",
    "open details": "???+ note\n\n{block}\n",
    "tabs": '=== "A"\n\n{block}\n',
    "a definition": "term\n:   text\n\n{block}\n",
    "a footnote": "text[^1]\n\n[^1]: note\n\n{block}\n",
    "an admonition in a list": "- item\n\n    !!! note\n\n{deeper}\n",
    "raw HTML": '<div markdown="1">\n\n{flat}\n\n</div>\n',
    "nested raw HTML": '<section markdown="1">\n<div markdown="1">\n\n{flat}\n\n</div>\n</section>\n',
    "raw HTML in a list": '- item\n\n    <div markdown="1">\n\n{block}\n\n    </div>\n',
    "a block of Markdown in details": "/// details | More\n\n{flat}\n\n///\n",
    "a block of Markdown in an admonition": "/// admonition | More\n\n{flat}\n\n///\n",
    "a quote": "{quoted}\n",
}


def in_container(name: str, block: str) -> str:
    """Return a block in a container."""
    return CONTAINERS[name].format(
        block=indent(block), deeper=indent(block, " " * 8), flat=block, quoted=indent(block, "> ")
    )


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_block_runs_in_its_session_and_values_below_follow_it(name: str, tmp_path: Path) -> None:
    inner = in_container(name, fence("x += 1\nprint('inside', x)"))
    page = f"# Page\n\n{ONE}\n\nFirst {{x}}.\n\n{inner}\n\nParagraph {{x}}.\n\n{fence('x += 10')}\n\nLast {{x}}."
    shown = convert(page, tmp_path)
    assert "<code>inside 2</code>" in shown
    assert shown.count('class="codeout-block"') == 3
    for sentence in ("First 1.", "Paragraph 2.", "Last 12."):
        assert sentence in text_of(shown)
    if name != "a footnote":  # Python-Markdown puts what ends a footnote into the paragraph of its link back
        assert "<p><div" not in shown


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_message_of_an_exception_names_the_line_in_a_container(name: str, tmp_path: Path) -> None:
    page = f"# Page\n\n{ONE}\n\n" + in_container(name, fence("y = 1\n1 / 0"))
    line = next(number for number, text in enumerate(page.split("\n"), start=1) if "1 / 0" in text)
    with pytest.raises(CodeoutError, match=rf"^page:{line}: ZeroDivisionError"):
        convert(page, tmp_path)


PLACES = {
    "a table": "| a | b |\n| --- | --- |\n| {{x}} | cell {value} |",
    "a footnote": "text[^n]\n\n[^n]: note {value}",
    "details": "??? note\n\n    in {value}",
    "an admonition": "!!! note\n\n    in {value}",
    "the title of an admonition": '!!! note "title {value}"\n\n    text',
    "a list": "- item {value}\n- other",
    "a list in a list": "- item\n    - {value} inside",
    "tabs": '=== "A"\n\n    in {value}',
    "the title of a tab": '=== "of {value}"\n\n    text',
    "a quote": "> it is {value}",
    "a definition": "term\n:   is {value}",
    "raw HTML with Markdown": '<div markdown="1">\n\nin {value}\n\n</div>',
    "raw HTML": "<div>raw {value}</div>",
    "a link": "[text {value}](https://example.com)",
    "emphasis": "**bold {value}**",
    "a heading": "## Heading {value}",
}


@pytest.mark.parametrize("name", PLACES)
def test_a_value_is_that_of_the_block_above_wherever_it_is(name: str, tmp_path: Path) -> None:
    place = PLACES[name].replace("{value}", "{x:+d}").replace("{{x}}", "{x}")
    shown = convert(f"# Page\n\n{ONE}\n\n{place}\n\nParagraph.\n\n{TWO}\n\nThen {{x}}.", tmp_path)
    assert "+1" in text_of(shown)
    assert "Then 2." in text_of(shown)
    assert "{x" not in shown


def test_values_follow_blocks_in_footnotes_by_their_place_in_the_text(tmp_path: Path) -> None:
    parts = (ONE, "A[^1] {x}.", "[^1]: Note {x}.", TWO, "Then[^2] {x}.", "[^2]: Other note {x}.", THREE)
    shown = text_of(convert("\n\n".join(parts), tmp_path))
    assert "Note 1." in shown
    assert "Other note 2." in shown


def test_a_fence_in_a_comment_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    touched = fence(f"from pathlib import Path\nPath({str(mark)!r}).touch()\nx = 99")
    comment = f"<!--\n{touched}\n-->"
    parts = ("# Page", comment, ONE, "First it is {x}.", TWO, "Then it is {x}.", THREE, "Last it is {x}.")
    shown = convert("\n\n".join(parts), tmp_path)
    for sentence in ("First it is 1.", "Then it is 2.", "Last it is 3."):
        assert sentence in text_of(shown)
    assert not mark.exists()
    assert shown.count('class="codeout-block"') == 3


@pytest.mark.parametrize(
    "comment",
    [
        pytest.param("<!--\n\n{block}\n\n-->", id="with blank lines"),
        pytest.param("<!-- old:\n{block}\n-->", id="after words"),
        pytest.param("<!--\ntext\n\n{block}\n\ntext\n\n{block}\n-->", id="two fences"),
    ],
)
def test_a_comment_with_fences_shows_nothing(comment: str, tmp_path: Path) -> None:
    page = f"# Page\n\n{ONE}\n\n" + comment.format(block=fence("1 / 0")) + f"\n\nNow {{x}}.\n\n{TWO}\n\nThen {{x}}."
    shown = convert(page, tmp_path)
    assert "Now 1." in text_of(re.sub("(?s)<!--.*?-->", "", shown))
    assert "Then 2." in text_of(shown)
    assert "1 / 0" not in re.sub("(?s)<!--.*?-->", "", shown)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("```html\n<!--\n```", "```html\n-->\n```", id="a block of code"),
        pytest.param("    <!--", "    -->", id="indented code"),
        pytest.param("`<!--`", "`-->`", id="code in running text"),
        pytest.param(fence("y = '<!--'"), fence("z = '-->'"), id="executed code"),
        pytest.param("~~~\n<!-- x\n~~~", "Text.", id="another fence"),
    ],
)
def test_what_looks_like_a_comment_in_code_hides_nothing(before: str, after: str, tmp_path: Path) -> None:
    shown = convert(f"# Page\n\n{before}\n\n{fence('x = 5')}\n\nNow {{x}}.\n\n{after}\n", tmp_path)
    assert "x = 5" in text_of(shown)
    assert "Now 5." in text_of(shown)


def test_a_block_that_prints_content_runs_without_those_in_comments(tmp_path: Path) -> None:
    printing = fence("print('**x is**', x)", 'session="a"')
    assert "<strong>x is</strong> 1" in convert(f"{ONE}\n\n<!--\n{TWO}\n-->\n\n{printing}", tmp_path)


def test_mistakes_in_a_comment_do_not_count(tmp_path: Path) -> None:
    page = (
        f"<!--\n{fence('1 / 0', 'rasies=' + chr(34) + 'x' + chr(34))}\n-->\n\n<!--\n{fence('x  # (1)!')}\n-->\n\n{ONE}"
    )
    assert 'id="out-1"' in convert(page, tmp_path)


def test_the_same_code_in_a_comment_and_on_the_page_runs_once(tmp_path: Path) -> None:
    count = fence(f"with open({str(tmp_path / 'log')!r}, 'a') as f:\n    _ = f.write('x')")
    convert(f"<!--\n{count}\n-->\n\n{count}\n\n<!--\n{count}\n-->", tmp_path)
    assert (tmp_path / "log").read_text() == "x"


def test_pycon_and_python_share_a_session(tmp_path: Path) -> None:
    pycon = fence(">>> x + 1\n3", language="pycon")
    shown = convert(f"{TWO}\n\n{pycon}\n\n{fence('print(x * 100)')}", tmp_path)
    assert "<code>200</code>" in shown
    assert "3" in text_of(shown)


def test_pycon_defines_what_python_uses(tmp_path: Path) -> None:
    shown = convert(fence(">>> y = 6\n>>> z = 7", language="pycon") + "\n\n" + fence("print(y * z)"), tmp_path)
    assert "<code>42</code>" in shown


def test_a_printed_fence_keeps_its_session(tmp_path: Path) -> None:
    printed = fence("print('''\n" + fence("print(x + 40)").replace("```", "~~~") + "\n''')", 'session="a"')
    shown = convert(f"{TWO}\n\n{printed}\n\n{fence('print(x)')}", tmp_path)
    assert "<code>42</code>" in shown
    assert "<code>2</code>" in shown


def test_a_printed_fence_names_the_block_that_printed_it(tmp_path: Path) -> None:
    printed = fence("print('~~~python exec=\"on\"\\n1 / 0\\n~~~')", 'session="b"')
    with pytest.raises(CodeoutError, match=r"^page:5: ZeroDivisionError|^page:\d+: ZeroDivisionError"):
        convert(f"# Page\n\n{printed}", tmp_path)


def test_fences_in_executed_markdown_are_run_in_their_session(tmp_path: Path) -> None:
    inner = fence("x += 1\nprint('inner', x)")
    outer = f'````md exec="on" source="above"\n{inner}\n````'
    shown = convert(f"{ONE}\n\n{outer}\n\n{fence('print(x)')}", tmp_path)
    assert "<code>inner 2</code>" in shown
    assert shown.count("<code>2</code>") == 1


def test_ids_of_headings_and_blocks_are_unique(tmp_path: Path) -> None:
    page = f"# Page\n\n## Out 1\n\n{fence('print(1)')}\n\n## Out 2\n\n{fence('print(2)')}"
    ids = re.findall(r'\sid="([^"]+)"', convert(page, tmp_path))
    assert len(ids) == len(set(ids))
    assert {"out-1", "out-2"} <= {*ids}, "links to the headings still lead there"


def test_a_value_in_a_heading_does_not_change_its_id(tmp_path: Path) -> None:
    def ids(value: float) -> list[str]:
        return re.findall(
            r'<h2 id="([^"]+)"', convert(f"{fence(f'acc = {value}')}\n\n## It reaches {{acc:.0%}}", tmp_path)
        )

    assert ids(0.914) == ids(0.95)
    assert not re.search(r"\d", ids(0.914)[0])


def test_a_value_in_a_heading_is_in_the_table_of_contents(tmp_path: Path) -> None:
    md = converter(tmp_path)
    md.convert(f"{fence('acc = 0.914')}\n\n## It reaches {{acc:.0%}}")
    assert "It reaches 91%" in plain(md.toc)  # type: ignore[attr-defined]
    assert [token["name"] for token in md.toc_tokens] == ["It reaches 91%"]  # type: ignore[attr-defined]


def test_an_unknown_name_stays_as_it_is(tmp_path: Path) -> None:
    assert "Hello {world}." in text_of(convert(f"{ONE}\n\nHello {{world}}.", tmp_path))


def test_an_unknown_name_that_is_close_to_a_value_is_pointed_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        convert(f"{fence('accuracy = 1')}\n\nIt is {{acuracy}}.", tmp_path)
    assert "page:5: {acuracy}: no block sets 'acuracy' to a number or a string; did you mean 'accuracy'" in caplog.text


def test_values_in_comments_are_left_alone(tmp_path: Path) -> None:
    shown = convert(
        f"{ONE}\n\n<!-- {{x}} and {{world}} -->\n\nText <!-- {{x}} --> here {{x}}.", tmp_path, strict_values=True
    )
    assert "<!-- {x} and {world} -->" in shown
    assert "<!-- {x} -->" in shown
    assert "here 1." in text_of(shown)


def test_an_unknown_name_is_an_error_where_values_are_strict(tmp_path: Path) -> None:
    with pytest.raises(CodeoutError, match=r"^page:5: \{world\}: no block sets 'world' to a number or a string"):
        convert(f"{ONE}\n\nHello {{world}}.", tmp_path, strict_values=True)


PLACEHOLDERS = ["\x02wzxhzdk:0\x03", "\x02klzzwxh:0000\x03", "\ufdd0\ufdd2\ufdd1", "\ufdd0\ufdd9\ufdd1"]
MARKUP = ["</code><b>bold</b>", "{x} **b** [a](b)"]


@pytest.mark.parametrize("text", PLACEHOLDERS)
@pytest.mark.parametrize("options", ['source="above"', 'source="console"', 'result="text"', 'source="tabbed-left"', ""])
def test_text_that_looks_like_a_placeholder_is_shown_as_text(text: str, options: str, tmp_path: Path) -> None:
    shown = convert(f"{ONE}\n\n{fence(f'print({text!r}, end=str())', options)}\n\nNow {{x}}.", tmp_path)
    assert "Now 1." in text_of(shown)
    assert shown.count("codeout-named") == 1
    assert shown.count("codeout-block") == (1 if 'source="' not in options else 2)


@pytest.mark.parametrize("text", MARKUP)
@pytest.mark.parametrize("options", ['source="above"', 'source="console"', 'result="text"', 'source="tabbed-left"'])
def test_markup_that_a_block_prints_is_shown_as_text(text: str, options: str, tmp_path: Path) -> None:
    shown = convert(f"{ONE}\n\n{fence(f'print({text!r}, end=str())', options)}", tmp_path)
    assert text in plain(shown)
    assert "<b>bold" not in shown
    assert "<strong>b" not in shown
