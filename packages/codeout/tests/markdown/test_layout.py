"""What a page shows of a block: its code, its output, both or nothing; and blocks that do not run at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from codeout import BlockError, PageError
from codeout.errors import CodeoutError
from small_sites import CONFIG, build, convert, page, page_html, write_site


@pytest.mark.parametrize(
    ("options", "has_code", "has_output"),
    [
        ('source="above"', True, True),
        ('source="above" show="code"', True, False),
        ('show="code"', True, False),
        ('source="tabbed-left" tabs="Code|Out" show="output"', False, True),
        ('show="output"', False, True),
        ('show="nothing"', False, False),
        ('source="above" skip="true"', True, False),
        ('skip="true"', True, False),
    ],
)
def test_a_page_shows_what_a_block_asks_for(options: str, has_code: bool, has_output: bool, tmp_path: Path) -> None:
    html = convert(page((options, "print('*' + 'out' + '*')\nopen('ran', 'w').close()")), tmp_path)
    text = BeautifulSoup(html, "html.parser").get_text()
    assert ("print(" in text) == has_code
    assert ("*out*" in text) == has_output, "printed text is not Markdown"
    assert (tmp_path / "ran").exists() == ("skip" not in options)


def test_blocks_below_see_what_a_hidden_block_did_and_not_what_a_skipped_one_would_have(tmp_path: Path) -> None:
    hidden = ('session="s" show="nothing"', "x = 5\nprint('hidden')")
    skipped = ('session="s" skip="true"', "x = 6")
    html = convert(page(hidden, skipped, ('session="s" source="above"', "print(x)")), tmp_path)
    assert "hidden" not in html
    assert BeautifulSoup(html, "html.parser").select(".codeout pre")[0].get_text() == "5"


@pytest.mark.parametrize("show", ["code", "nothing"])
def test_a_hidden_failure_is_seen(show: str, tmp_path: Path) -> None:
    with pytest.raises(BlockError, match=r":4: ZeroDivisionError"):
        convert(page((f'show="{show}"', "1 / 0")), tmp_path)
    assert "ZeroDivisionError" in convert(page((f'show="{show}"', "1 / 0")), tmp_path, errors="show")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ('show="cod"', "invalid show 'cod'; did you mean 'code'"),
        ('skip="yes"', "skip must be 'true' or 'false', not 'yes'"),
        ('rasies="ValueError"', "unknown option 'rasies'; did you mean 'raises'"),
    ],
)
def test_a_wrong_value_is_one_sentence(options: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CodeoutError, match=f":3: {message}"):
        convert(page((options, "1")), tmp_path)


def test_an_option_of_another_program_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert "6" in convert(page(('source="above" foreign="1"', "print(2 * 3)")), tmp_path)
    assert ":3: unknown option 'foreign'" in caplog.text


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ('```python exec="onn"', "exec must be 'on' or 'off', not 'onn'; did you mean 'on'?"),
        ("```python exec=on", 'exec=on needs quotes: exec="on"'),
        ('```python exec="on" width="abc"', "width must be an integer, not 'abc'"),
        ('```py exce="on"', "unknown option 'exce'; did you mean 'exec'?"),
        ('~~~ {.python exec="yess"}', "exec must be 'on' or 'off', not 'yess'; did you mean 'yes'?"),
    ],
)
def test_a_fence_that_would_not_run_is_an_error(header: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PageError) as caught:
        convert(f"# Title\n\nText.\n\n{header}\nprint(1)\n{header[:3]}\n", tmp_path)
    assert str(caught.value) == f"page:5: {message}"
    shown = convert(f"````md\n{header}\nprint(1)\n{header[:3]}\n````\n", tmp_path)
    assert "print(1)" in BeautifulSoup(shown, "html.parser").get_text(), "an example in another fence"


def test_other_fences_are_left_alone(tmp_path: Path) -> None:
    text = (
        '```python title="x.py" linenums="1"\nx = 1\n```\n\n```python\ny = 1\n```\n\n```python exec="off"\nz = 1\n```\n'
    )
    shown = BeautifulSoup(convert(text, tmp_path), "html.parser").get_text()
    assert "x = 1" in shown
    assert "y = 1" in shown


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        ("  - pymdownx.superfences\n", "codeout needs `- pymdownx.superfences` under `markdown_extensions`"),
        ("  - markdown-exec: {languages: [python]}\n", "codeout needs `- markdown-exec` under `plugins`"),
        ("  - codeout: {paths: [snippets]}\n", "codeout needs `- codeout` under `markdown_extensions` as well"),
    ],
)
def test_a_missing_part_is_one_sentence(removed: str, message: str, tmp_path: Path) -> None:
    write_site(tmp_path, {"mkdocs.yml": CONFIG.replace(removed, ""), "docs/index.md": page(("", "print(1)"))})
    result = build(tmp_path)
    assert result.returncode != 0
    assert f"mkdocs.yml:1: {message}" in result.stderr
    assert "Traceback" not in result.stderr


def test_front_matter_skips_the_blocks_of_a_page(tmp_path: Path) -> None:
    text = "---\ncodeout: {skip: true}\n---\n" + page(('source="above"', "print(2 * 3)"))
    config = CONFIG.replace("{paths: [snippets]}", "{}")
    write_site(tmp_path, {"mkdocs.yml": config, "docs/first.md": text})
    assert build(tmp_path, "--strict").returncode == 0
    html = page_html(tmp_path)
    assert "print" in html
    assert "codeout-block" not in html
    (tmp_path / "docs" / "first.md").write_text(text.replace("skip: true", "skp: true"))
    result = build(tmp_path)
    assert "docs/first.md:1: front matter: codeout must be `skip: true` or `skip: false`" in result.stderr
