"""Pages in, HTML out: the extension behind markdown-exec's fences, without a site generator."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import pytest
from markdown import Markdown
from markdown_exec import formatter, validator

from codeout import CodeoutError
from codeout.markdown.extension import CodeoutExtension
from small_sites import FENCE, TABS, convert, page, plain


def anonymous(shown: str) -> str:
    """Return HTML without the numbers that markdown-exec counts through a process."""
    return re.sub(r"exec-\d+--", "", shown)


def test_code_and_out_are_tabs(tmp_path: Path) -> None:
    shown = convert(page((f'session="s" {TABS}', "print(1 + 1)")), tmp_path)
    assert re.findall(r"<label[^>]*>(\w+)</label>", shown) == ["Code", "Out"]
    code, out = shown.split('class="tabbed-block"')[1:]
    assert "print(1 + 1)" in plain(code)
    assert "<code>2</code>" in out
    assert "<p><div" not in shown


@pytest.mark.parametrize(("options", "code"), [(TABS, "x = 1"), (f'{TABS} html="on"', "x = 1\nprint()")])
def test_a_block_that_produced_nothing_is_plain_code(tmp_path: Path, options: str, code: str) -> None:
    shown = convert(page((options, code)), tmp_path)
    assert 'class="tabbed' not in shown
    assert "x = 1" in plain(shown)
    assert 'class="codeout-run' not in shown


def test_output_is_text_unless_it_came_as_something_else(tmp_path: Path) -> None:
    shown = convert(page((TABS, "print('**b** <i>x</i>\\n\\n# heading')")), tmp_path)
    assert "&lt;i&gt;x&lt;/i&gt;" in shown
    assert "<strong>" not in shown
    assert shown.count("<h1") == 1


def test_hidden_lines_run_and_do_not_show(tmp_path: Path) -> None:
    shown = convert(page((TABS, "x = 5  # markdown-exec: hide\nprint(x)")), tmp_path)
    assert "<code>5</code>" in shown
    assert "x = 5" not in plain(shown)


def test_tabs_without_the_extension_that_makes_them_are_an_error(tmp_path: Path) -> None:
    fence = {"name": "python", "class": "python", "validator": validator, "format": formatter}
    md = Markdown(
        extensions=["pymdownx.superfences", CodeoutExtension(root=tmp_path)],
        extension_configs={"pymdownx.superfences": {"custom_fences": [fence]}},
    )
    with pytest.raises(CodeoutError, match=r"^page:3: tabs need `- pymdownx.tabbed"):
        md.convert(page((TABS, "print(1)")))


def test_a_mistake_in_the_options_is_said_once_there_is_a_page(tmp_path: Path) -> None:
    md = Markdown(extensions=[CodeoutExtension(root=tmp_path, colour="x")])
    with pytest.raises(CodeoutError, match=r"^mkdocs.yml:1: codeout: unknown setting 'colour'"):
        md.convert("# A page")


def test_a_result_is_drawn_by_the_fence_of_its_language(tmp_path: Path) -> None:
    def draw(source: str, *_: object, **__: object) -> str:
        return f"<figure>{escape(source)}</figure>"

    own = {"name": "python", "class": "python", "validator": validator, "format": formatter}
    fences = [own, {**own, "name": "tree"}, {"name": "mermaid", "class": "mermaid", "format": draw}]
    (tmp_path / "secret.txt").write_text("secret")
    md = Markdown(
        extensions=["pymdownx.superfences", "pymdownx.snippets", CodeoutExtension(root=tmp_path)],
        extension_configs={
            "pymdownx.superfences": {"custom_fences": fences},
            "pymdownx.snippets": {"base_path": [str(tmp_path)]},
        },
    )
    graph = 'a --> b\\n```\\n--8<-- "secret.txt"\\n<b>'
    shown = md.convert(page(('result="mermaid"', f"print('{graph}')"), ('result="tree"', "print('a/\\n    b')")))
    assert "<figure>a --&gt; b\n```\n--8&lt;-- &quot;secret.txt&quot;\n&lt;b&gt;</figure>" in shown
    assert "└──" in shown
    assert "secret\n" not in shown


def test_a_result_in_a_language_that_runs_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("markdown_exec._internal.main.MARKDOWN_EXEC_AUTO", ["python", "bash"])
    shown = convert(page(('exec="on" result="python"', 'print(\'open("made", "w")\')')), tmp_path)
    assert "open" in plain(shown)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("extensions", [[], ["pymdownx.superfences"], ["fenced_code"], ["pymdownx.extra"]])
def test_a_block_that_nothing_hands_on_is_an_error(tmp_path: Path, extensions: list[str]) -> None:
    md = Markdown(extensions=[*extensions, CodeoutExtension(root=tmp_path)])
    with pytest.raises(CodeoutError, match=r"^page:3: nothing runs this block: add `- pymdownx.superfences`"):
        md.convert(page((TABS, "print(1)")))
    assert md.convert(page(('exec="off"', "print(1)")).replace('exec="on" ', "")) != ""
    assert "exec" in md.convert(f"````md\n{page((TABS, 'print(1)'))}\n````"), "an example"


@pytest.mark.parametrize(
    ("options", "code", "expected"),
    [
        pytest.param('html="on"', "print('<b>x</b>')", "<b>x</b>", id="html: the text is HTML"),
        pytest.param('result="text"', "print('<b>')", "<code>&lt;b&gt;", id="result: a code block"),
        pytest.param('source="above"', "print(7)", "<code>7</code>", id="source above"),
        pytest.param('source="console"', "print(7)", "7", id="source console"),
        pytest.param("", "print('## *Seven*')", '--seven"><em>Seven</em></h2>', id="no source: it is Markdown"),
        pytest.param('idprefix="x-"', "print('## Seven')", '<h2 id="x-seven">', id="idprefix"),
        pytest.param('source="above"', "print('## *Seven*')", "<code>## *Seven*</code>", id="with its source: text"),
    ],
)
def test_options_of_markdown_exec_keep_their_meaning(tmp_path: Path, options: str, code: str, expected: str) -> None:
    shown = convert(page((options, code)), tmp_path)
    assert expected in shown


@pytest.mark.parametrize("options", ['result="text"', 'source="console"', 'source="above" result="json"'])
def test_text_that_looks_like_a_fence_stays_text(tmp_path: Path, options: str) -> None:
    code = "print('`' * 8 + chr(10) + '<script>x</script>')"
    shown = convert(page((options, code)), tmp_path)
    assert "<script>" not in shown
    assert "<script>x</script>" in plain(shown)


def test_a_figure_has_no_place_in_a_console_but_is_shown(tmp_path: Path) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()"
    assert 'src="data:image/png' in convert(page(('source="console"', code)), tmp_path)


def test_what_cannot_be_shown_is_an_error_and_not_a_fence_as_text(tmp_path: Path) -> None:
    code = "from IPython.display import display\ndisplay({'image/svg+xml': '<svg>&nbsp;</svg>'}, raw=True)"
    with pytest.raises(CodeoutError, match=r"^page:3: cannot be shown: ParseError"):
        convert(page(("", code)), tmp_path)
    with pytest.raises(CodeoutError, match=r"^page:3: invalid source 'tabbed'; did you mean 'tabbed-"):
        convert(page(('source="tabbed"', "print(1)")), tmp_path)


def test_a_misspelt_option_names_the_choices(tmp_path: Path) -> None:
    with pytest.raises(CodeoutError, match=r"^page:3: unknown option 'rasies'; did you mean 'raises'"):
        convert(page(('rasies="ValueError"', "1 / 0")), tmp_path)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("if True:\n\tprint('tab')", id="a tab"),
        pytest.param("print('''a\n   \nb''')", id="white space alone on a line of a string"),
    ],
)
def test_white_space_that_python_markdown_changes_is_no_surprise(tmp_path: Path, code: str) -> None:
    assert "codeout-stream" in convert(page((TABS, code)), tmp_path)


def test_markdown_that_a_block_displays_may_have_blocks_of_its_own(tmp_path: Path) -> None:
    code = "from IPython.display import Markdown\nMarkdown('~~~python exec=\"on\"\\nprint(6 * 7)\\n~~~')"
    assert "<p>42</p>" in convert(page(("", code)), tmp_path)


def test_only_the_languages_that_the_site_has_enabled_are_run(tmp_path: Path) -> None:
    assert "codeout" not in convert('```py exec="on"\nprint(1)\n```\n', tmp_path)


def test_ours_do_not_show_as_attributes(tmp_path: Path) -> None:
    shown = convert(page((f'{TABS} raises="ZeroDivisionError" timeout="5" title="Division"', "1 / 0")), tmp_path)
    assert "ZeroDivisionError: division by zero" in plain(shown)
    assert "raises=" not in shown and "timeout=" not in shown
    assert "Division" in plain(shown)


def test_other_languages_are_left_to_markdown_exec(tmp_path: Path) -> None:
    shown = convert('```bash exec="on" result="text"\necho from bash\n```\n\n' + page((TABS, "print(1)")), tmp_path)
    assert "from bash" in shown
    assert "<code>1</code>" in shown


def test_blocks_in_admonitions_and_lists_are_run(tmp_path: Path) -> None:
    fence = FENCE.format(options=TABS, code="print('inside')")
    shown = convert("- item\n\n" + "\n".join(f"    {line}" for line in fence.splitlines()), tmp_path)
    assert "<code>inside</code>" in shown


def test_a_second_conversion_starts_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page(('session="s" ' + TABS, "x = 3"), ('session="s" ' + TABS, "print(x)"))
    first = convert(text, tmp_path)

    def fail(*_: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr("codeout.run.base.KernelProcess", fail)
    second = convert(text + "\nMore prose, with a comma.\n", tmp_path)
    assert anonymous(first) in anonymous(second)
    with pytest.raises(AssertionError, match="a worker was started"):
        convert(text.replace("x = 3", "x = 4"), tmp_path)


def test_a_failing_block_stops_the_conversion_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(CodeoutError, match=r"^page:4: ZeroDivisionError"):
        convert(page((TABS, "1 / 0")), tmp_path)


def test_a_failing_block_can_show_in_place(tmp_path: Path) -> None:
    shown = convert(page(('session="s" ' + TABS, "print('before')\n1 / 0")), tmp_path, errors="show")
    assert "before" in plain(shown)
    assert "codeout-error" in shown and "ZeroDivisionError" in shown


def test_two_sites_in_one_process_do_not_meet(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert "<code>1</code>" in convert(page(('session="s" ' + TABS, "x = 1\nprint(x)")), tmp_path / "a")
    with pytest.raises(CodeoutError, match="NameError"):
        convert(page(('session="s" ' + TABS, "print(x)")), tmp_path / "b")
