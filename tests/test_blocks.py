"""Finding the executable blocks of a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown import Markdown

from codeout import Finder, PageError
from codeout.blocks import Place, sessions

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

```python exec="on"
alone = True
```
"""


def test_blocks_are_found_in_order_with_their_lines_and_options() -> None:
    found = Finder().find(PAGE, "docs/p.md")
    assert [(b.code, b.place.line, b.session) for b in found] == [
        ("x = 1", 7, "a"),
        ("y = 2", 13, "a"),
        ("alone = True", 27, ""),
    ]
    assert (found[1].width, found[1].timeout, found[1].raises) == (40, 2.5, "ValueError")


def test_lines_count_the_front_matter() -> None:
    assert Finder().find(PAGE, "docs/p.md", offset=4)[0].place == Place("docs/p.md", 11)


def test_blocks_without_a_session_are_sessions_by_themselves() -> None:
    assert [len(session) for session in sessions(Finder().find(PAGE, "docs/p.md"))] == [2, 1]


def test_a_block_knows_the_line_of_its_snippet(tmp_path: Path) -> None:
    snippet = tmp_path / "snippets" / "s.py"
    snippet.parent.mkdir()
    one, two = (
        f"# --8<-- [start:{n}]\n{code}\n# --8<-- [end:{n}]\n" for n, code in (("one", "a = 1"), ("two", "b = 2"))
    )
    snippet.write_text(f"import this\n{one}\n{two}")
    settings = {"pymdownx.snippets": {"base_path": [str(snippet.parent)], "check_paths": True}}
    md = Markdown(extensions=["pymdownx.snippets"], extension_configs=settings)
    page = '```python exec="on"\n--8<-- "s.py:two"\n```\n\n```python exec="on"\n--8<-- "s.py:one"\nmore = 1\n```\n'
    first, second = Finder(md.preprocessors["snippet"], tmp_path).find(page, "docs/p.md")
    assert (first.code, first.origin, str(first)) == (
        "b = 2",
        Place("snippets/s.py", 7),
        "docs/p.md:1 (snippets/s.py:7)",
    )
    assert (second.code, second.origin) == ("a = 1\nmore = 1", Place("docs/p.md", 6))


def test_an_option_without_meaning_is_refused_with_its_line() -> None:
    with pytest.raises(PageError, match=r"^docs/p\.md:1: timeout takes a number of seconds, not 'soon'$"):
        Finder().find('```python exec="on" timeout="soon"\nx\n```\n', "docs/p.md")
