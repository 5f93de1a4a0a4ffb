"""Notes to lines of code: marks in a block, and the list below it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codeout import Config, Engine, PageError
from codeout.cache import environment as env
from codeout.cache.input_reader import InputReader
from codeout.model.blocks import group_sessions
from codeout.render.cells import Page
from codeout.render.export import script
from helpers import block
from pages import convert_page
from small_sites import TABS, convert, page, plain

CODE = "x = 1  # (1)!\ny = 2  # why\nprint(x + y)  # (2)!"
NOTES = "\n1. Says `x < y` and **more**.\n2. Adds [them](https://example.org).\n\nAfter it.\n"


def shown(tmp_path: Path, options: str = TABS, code: str = CODE, notes: str = NOTES) -> str:
    return convert(page((options, code)) + notes, tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        TABS,
        'source="tabbed-right" tabs="Out|Code"',
        f'{TABS} linenums="1" title="A file"',
        'source="above"',
        'source="below"',
        pytest.param(
            'source="material-block"',
            marks=pytest.mark.filterwarnings("ignore:The `material-block` source display option:DeprecationWarning"),
        ),
        'source="console"',
    ],
)
def test_the_list_comes_right_after_the_code_in_every_layout(tmp_path: Path, options: str) -> None:
    html = shown(tmp_path, options)
    code, notes = re.findall(
        r"(<code>(?:(?!<code>).)*?</code></pre>(?:</div>|</td>|</tr>|</table>)*)(<ol.*?</ol>)", html, re.DOTALL
    )[0]
    assert "print" in code
    assert notes.startswith('<ol class="codeout-notes">')
    assert re.findall("<li>(.*?)</li>", notes, re.DOTALL) == [
        "Says <code>x &lt; y</code> and <strong>more</strong>.",
        'Adds <a href="https://example.org">them</a>.',
    ]
    assert html.count("<ol") == 1
    assert html.endswith("<p>After it.</p>")
    assert "3" in plain(html)


def test_a_mark_is_a_number_for_readers_and_a_comment_for_those_who_copy(tmp_path: Path) -> None:
    html = shown(tmp_path)
    assert re.findall(r'<span class="c1 codeout-mark" data-note="(\d)"># \(\1\)</span>', html) == ["1", "2"]
    assert "x = 1  # (1)\ny = 2  # why\nprint(x + y)  # (2)\n" in plain(html)


def test_a_list_below_a_block_without_marks_stays_where_it_is(tmp_path: Path) -> None:
    html = shown(tmp_path, code="print(1)")
    assert "codeout-notes" not in html
    assert html.index("codeout-link") < html.index("<ol>")


def test_a_printed_mark_is_what_was_printed(tmp_path: Path) -> None:
    html = shown(tmp_path, 'source="console"', "print('# (1)!')  # (1)!", "\n1. Prints what looks like a mark.\n")
    assert html.count("codeout-mark") == 1
    assert html.count("# (1)!") == 2


def test_a_block_in_a_list_has_its_notes_too(tmp_path: Path) -> None:
    inside = "\n".join(f"    {line}".rstrip() for line in (page((TABS, CODE)) + NOTES).split("\n")[2:])
    html = convert("# Title\n\n- An item\n\n" + inside, tmp_path)
    assert '</div><ol class="codeout-notes">' in html
    assert html.count("<ol") == 1


@pytest.mark.parametrize(
    ("notes", "problem"),
    [
        ("", "the code refers to annotations 1, 2, but no list follows it"),
        ("\nFirst this.\n" + NOTES, "the code refers to annotations 1, 2, but no list follows it"),
        ("\n1. One.\n", "the code refers to annotations 1, 2, but the list below it has 1"),
        ("\n1. One.\n2. Two.\n3. Three.\n", "the code refers to annotations 1, 2, but the list below it has 3"),
    ],
)
def test_a_mark_without_a_note_is_an_error_that_says_where(tmp_path: Path, notes: str, problem: str) -> None:
    with pytest.raises(PageError, match=f"^page:3: {re.escape(problem)}$"):
        shown(tmp_path, notes=notes)


def test_a_note_that_comes_or_goes_runs_nothing(tmp_path: Path) -> None:
    config = Config.from_options({"root": tmp_path})
    keys = [
        env.add_keys(group_sessions([block(code)])[0], config, InputReader(config)).keys[0]
        for code in ("x = 1\nprint(x)", "x = 1  # (1)!\nprint(x)", "x = 1\nprint(x)  # (12)!", "x = 1  # (1)\nprint(x)")
    ]
    assert keys[0] == keys[1] == keys[2]
    assert keys[0] != keys[3], "a comment is no mark"


def test_what_runs_has_no_marks_and_all_lines(tmp_path: Path) -> None:
    lines = [
        "import traceback",
        "# (1)!",
        "try:",
        "    1 / 0  # (2)!",
        "except ZeroDivisionError:",
        "    print(traceback.format_exc())",
    ]
    (run,) = Engine(Config.from_options({"root": tmp_path})).run([block("\n".join(lines), line=10)])
    (text,) = [str(output) for output in run.outputs]
    assert "line 14" in text
    assert "(2)!" not in text


def test_a_text_that_looks_like_a_mark_is_text(tmp_path: Path) -> None:
    assert block("x = '''# (1)!\n'''").executable_code == "x = '''# (1)!\n'''"
    (run,) = Engine(Config.from_options({"root": tmp_path})).run([block("print('''# (1)!\n''')")])
    assert "# (1)!" in str(run.outputs[0])


def test_a_script_keeps_the_numbers_that_its_text_explains(tmp_path: Path) -> None:
    text = page(('session="s"', CODE)) + NOTES
    made = block(CODE)
    (run,) = Engine(Config.from_options({"root": tmp_path})).run([made])
    written = script(Page(text=convert_page(text).text_with_holes(), blocks=[made], runs=[run]))
    assert "x = 1  # (1)\n" in written
    assert "# 1. Says `x < y`" in written
