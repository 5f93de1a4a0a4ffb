"""Finding the executable blocks of a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeout import CodeoutError, PageError
from codeout.model.blocks import Place, group_sessions
from pages import find_blocks

PAGE = """# Title

```python
not_run = 1
```

```python exec="on" session="a"
x = 1
```

!!! note

    ```py exec="on" session="a" source="tabbed-left" tabs="Code|Out" width="40" timeout="2.5" raises="ValueError"
    y = 2
    ```

````text
```python exec="on"
shown, not run
```
````

```bash exec="on"
echo no
```

```python exec="on" measured="true"
alone = True
```
"""


def test_blocks_are_found_in_order_with_their_lines_and_options() -> None:
    found = find_blocks(PAGE)
    assert [(b.code, b.place.line, b.session) for b in found] == [
        ("x = 1", 7, "a"),
        ("y = 2", 13, "a"),
        ("alone = True", 27, ""),
    ]
    assert (found[1].width, found[1].timeout, found[1].raises) == (40, 2.5, "ValueError")
    assert [block.measured for block in found] == [False, False, True]


def test_lines_count_the_front_matter() -> None:
    assert find_blocks("---\ntitle: A\nx: 1\n---\n" + PAGE)[0].place == Place("docs/p.md", 11)


def test_blocks_without_a_session_are_sessions_by_themselves() -> None:
    assert [len(session.blocks) for session in group_sessions(find_blocks(PAGE))] == [2, 1]


def test_a_block_knows_the_line_of_its_snippet(tmp_path: Path) -> None:
    snippet = tmp_path / "snippets" / "s.py"
    snippet.parent.mkdir()
    one, two = (
        f"# --8<-- [start:{n}]\n{code}\n# --8<-- [end:{n}]\n" for n, code in (("one", "a = 1"), ("two", "b = 2"))
    )
    snippet.write_text(f"import this\n{one}\n{two}")
    page = '```python exec="on"\n--8<-- "s.py:two"\n```\n\n```python exec="on"\n--8<-- "s.py:one"\nmore = 1\n```\n'
    first, second = find_blocks(page, tmp_path, base_path=[str(snippet.parent)])
    assert (first.code, first.origin, str(first)) == (
        "b = 2",
        Place("snippets/s.py", 7),
        "docs/p.md:1 (snippets/s.py:7)",
    )
    assert (second.code, second.origin) == ("a = 1\nmore = 1", Place("docs/p.md", 6))


def test_an_option_without_meaning_is_refused_with_its_line() -> None:
    with pytest.raises(CodeoutError, match=r"^docs/p\.md:1: measured must be 'true' or 'false', not 'often'$"):
        find_blocks('```python exec="on" measured="often"\nx\n```\n')
    with pytest.raises(CodeoutError, match=r"^docs/p\.md:1: timeout must be a number of seconds, not 'soon'$"):
        find_blocks('```python exec="on" timeout="soon"\nx\n```\n')


def test_text_that_is_appended_to_every_page_does_not_hide_where_fences_are(tmp_path: Path) -> None:
    (tmp_path / "glossary.md").write_text("*[GPU]: a processor\n")
    page = 'text\n\n```python exec="on"\nx = 1\n```\n'
    found = find_blocks(page, tmp_path, base_path=[str(tmp_path)], auto_append=["glossary.md"])
    assert [b.place.line for b in found] == [3]


def test_fences_of_an_included_part_do_not_hide_those_after_it(tmp_path: Path) -> None:
    (tmp_path / "part.md").write_text('```python exec="on"\npart = 1\n```\n')
    page = '--8<-- "part.md"\n\n```python exec="on"\nown = 1\n```\n'
    found = find_blocks(page, tmp_path, base_path=[str(tmp_path)])
    assert [(b.code, b.place.line) for b in found] == [("part = 1", 1), ("own = 1", 3)]
    assert len(find_blocks('--8<-- "part.md"\n', tmp_path, base_path=[str(tmp_path)])) == 1


@pytest.mark.parametrize(
    ("page", "line"),
    [
        pytest.param('text\n\n> ```python exec="on"\n> a = 1\n>\n> b = 1\n> ```\n', 3, id="in a quotation"),
        pytest.param('text\n\n```{.python exec="on"}\na = 1\n```\n', 3, id="with an attribute list"),
        pytest.param('- item\n\n\t```python exec="on"\n\tif 1:\n\t\ta = 1\n\t```\n', 3, id="with tabs"),
    ],
)
def test_fences_of_all_kinds_know_their_line(page: str, line: int) -> None:
    assert [b.place.line for b in find_blocks(page)] == [line]


def test_a_section_with_markers_in_it_is_placed_by_its_page(tmp_path: Path) -> None:
    inner = "# --8<-- [start:b]\nx = 1\n# --8<-- [end:b]"
    (tmp_path / "s.py").write_text(f"# --8<-- [start:a]\n{inner}\ny = 1\n# --8<-- [end:a]\n")
    (found,) = find_blocks('```python exec="on"\n--8<-- "s.py:a"\n```\n', tmp_path, base_path=[str(tmp_path)])
    assert found.origin == Place("docs/p.md", 2)


def test_a_missing_section_is_a_sentence_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(PageError, match=r"^docs/p\.md:5: Snippet at path 'gone\.py' could not be found"):
        find_blocks('# T\n\ntext\n\n--8<-- "gone.py"\n', tmp_path, base_path=[str(tmp_path)])
