"""With `section_checks`, the code between two sections of a snippet belongs to the section above it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from codeout import Block, BlockError, Config, Engine, Run, Value
from codeout.model.blocks import Place
from helpers import printed_text
from pages import convert_page
from small_sites import CONFIG, build, plain, write_site

SITE = CONFIG.replace("paths: [snippets]", "paths: [snippets], section_checks: true")
PAGE = """# P

```python exec="on" session="s" source="above"
--8<-- "p.py:one"
```

```python exec="on" session="s" source="above"
--8<-- "p.py:two"
```
"""
SNIPPET = """import nothing_that_exists

# --8<-- [start:one]
x = 1
x + 1
# --8<-- [end:one]

assert x == 1
proved = x + 41

# --8<-- [start:two]
print(x)
# --8<-- [end:two]
assert x == {wanted}
"""


def checked(code: str, checks: str) -> Block:
    return Block(
        place=Place("docs/p.md", 3),
        session="s",
        code=code,
        origin=Place("snippets/p.py", 5),
        checks=checks,
        checks_line=9,
    )


def run(tmp_path: Path, *blocks: Block) -> list[Run]:
    engine = Engine(Config(root=tmp_path))
    try:
        return engine.run(blocks)
    finally:
        engine.close()


def site(tmp_path: Path, wanted: int = 1, config: str = SITE) -> Path:
    files = {
        "mkdocs.yml": config,
        "docs/index.md": PAGE + "\n{proved}\n",
        "snippets/p.py": SNIPPET.format(wanted=wanted),
    }
    return write_site(tmp_path, files)


def test_the_code_below_a_section_runs_and_is_not_shown(tmp_path: Path) -> None:
    project = site(tmp_path)
    result = build(project)
    assert result.returncode == 0, result.stderr
    shown = plain((project / "site" / "index.html").read_text())
    assert "assert" not in shown
    assert "42" in shown, "prose may quote what a check has computed"


def test_a_check_that_fails_names_its_own_line(tmp_path: Path) -> None:
    result = build(site(tmp_path, wanted=2))
    assert result.returncode
    assert "snippets/p.py:14" in result.stderr
    assert "assert x == 2" in result.stderr


def test_without_the_setting_nothing_but_the_section_runs(tmp_path: Path) -> None:
    assert build(site(tmp_path, wanted=2, config=CONFIG)).returncode == 0


def test_the_value_and_the_output_are_those_of_the_shown_code(tmp_path: Path) -> None:
    (only,) = run(tmp_path, checked("x = 1\nx + 1", "assert x == 1\nx + 2"))
    assert [output.data["text/plain"] for output in only.outputs if isinstance(output, Value)] == ["2"]


@pytest.mark.parametrize(
    "checks", ["print('hidden')", "import sys\nsys.stderr.write('hidden')", "import os\nos.system('echo x')"]
)
def test_a_check_that_prints_is_an_error(checks: str, tmp_path: Path) -> None:
    with pytest.raises(BlockError, match=r"snippets/p.py:9.*HiddenOutput: .*must not print"):
        run(tmp_path, checked("print(1)", checks))


def test_a_changed_check_reruns_its_block(tmp_path: Path) -> None:
    assert printed_text(run(tmp_path, checked("print(1)", "assert True"))[0]) == "1\n"
    with pytest.raises(BlockError, match="AssertionError"):
        run(tmp_path, checked("print(1)", "assert False"))


def test_the_download_has_the_shown_code_alone(tmp_path: Path) -> None:
    project = site(tmp_path, config=SITE.replace("section_checks: true", "section_checks: true, downloads: [py]"))
    assert build(project).returncode == 0
    script = (project / "site" / "index.py").read_text()
    assert "x + 1" in script
    assert "assert" not in script


@pytest.mark.parametrize(
    "listing",
    [
        '````markdown\n```python exec="on" session="s" source="above"\nx = 1\nx + 1\n```\n````\n',
        "```python\nx = 1\nx + 1\n```\n",
    ],
)
def test_a_listing_of_the_same_code_is_not_the_block(tmp_path: Path, listing: str) -> None:
    project = site(tmp_path, config=SITE.replace("section_checks: true", "section_checks: true, downloads: [py]"))
    page = project / "docs" / "index.md"
    page.write_text(page.read_text().replace("# P\n", f"# P\n\n{listing}"))
    result = build(project)
    assert result.returncode == 0, result.stderr
    assert "42" in plain((project / "site" / "index.html").read_text()), "the checks of its section have run"
    script = (project / "site" / "index.py").read_text()
    assert script.index("# x + 1") < script.index("# %%\nx = 1\nx + 1\n")


def test_a_block_knows_where_its_checks_are(tmp_path: Path) -> None:
    (tmp_path / "snippets").mkdir()
    (tmp_path / "snippets" / "p.py").write_text(SNIPPET.format(wanted=1))
    converted = convert_page(PAGE, tmp_path, section_checks=True, base_path=[str(tmp_path / "snippets")])
    assert [(each.block.checks, each.block.checks_line) for each in converted.blocks] == [
        ("assert x == 1\nproved = x + 41", 8),
        ("assert x == 1", 14),
    ]


DRAW = {
    "random": ("import random\nrandom.seed(0)", "print(random.random())", "random.random(); random.shuffle([1, 2, 3])"),
    "a new seed": ("import random\nrandom.seed(0)", "print(random.random())", "random.seed(7)"),
    "numpy": (
        "import numpy as np\nnp.random.seed(0)",
        "print(np.random.rand())",
        "np.random.rand(5); np.random.seed(1)",
    ),
    "a failing check": ("import random\nrandom.seed(0)", "print(random.random())", "random.random(); 1 / 0"),
    "torch": (
        "import torch\ntorch.manual_seed(0)",
        "print(torch.rand(1))",
        "torch.nn.Linear(1, 1); torch.manual_seed(3)",
    ),
}


@pytest.mark.parametrize("name", DRAW)
def test_checks_that_draw_random_numbers_change_nothing_that_is_shown(name: str, tmp_path: Path) -> None:
    first, second, checks = DRAW[name]
    if name in ("numpy", "torch"):
        pytest.importorskip(name)
    shown = []
    for folder in ("with", "without"):
        (tmp_path / folder).mkdir()
        above = checked(first, checks if folder == "with" else "")
        below = replace(checked(second, ""), origin=Place("snippets/p.py", 20))
        engine = Engine(Config(root=tmp_path / folder, errors="show"))
        if name == "a failing check":  # what is below does not run, so the check comes last and fails on purpose
            above = replace(above, raises="ZeroDivisionError") if folder == "with" else above
        shown.append(printed_text(engine.run([above, below])[1]))
        engine.close()
    assert shown[0] == shown[1] != ""
