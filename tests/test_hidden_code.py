"""Code that a page does not show proves what the page says, and changes nothing that the page shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from codeout import Engine
from codeout.mkdocs.loader import LoadedSite, load_site
from codeout.model.blocks import group_sessions
from codeout.model.outputs import as_text
from codeout.model.sweeps import ONCE
from site_helpers import ROOT

SNIPPETS = sorted((ROOT / "snippets").glob("*.py"))
LESSONS = [path for path in SNIPPETS if path.name != "prelude.py"]
MARKER = re.compile(r"# --8<-- \[(start|end):(\w+)\]")
FENCE = re.compile(r'^ *```python exec="on" .*\n *--8<-- "(?P<file>\w+\.py):(?P<section>\w+)"', re.MULTILINE)
OUTPUT = {"print", "display", "show", "plot", "imshow", "savefig", "write"}
NOT_COMPARED = {"index", "time", "training_a_classifier", "training_knobs", "training_on_gpu"}
"""Sessions that train for minutes, measure, or get pictures by their hidden code where they cannot be downloaded."""
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass(frozen=True)
class Lesson:
    """A snippet, cut into the code that its page shows and the code that it does not."""

    name: str
    shown: dict[str, str]
    """By section."""
    hidden: dict[str, str]
    """Below each section."""


def cut(name: str, text: str) -> Lesson:
    shown: dict[str, list[str]] = {}
    hidden: dict[str, list[str]] = {}
    lines: list[str] = []  # above the first section: not run by the site
    for line in text.splitlines():
        if match := MARKER.fullmatch(line):
            lines = (shown if match[1] == "start" else hidden).setdefault(match[2], [])
        else:
            lines.append(line)
    return Lesson(name, *({key: "\n".join(part) for key, part in each.items()} for each in (shown, hidden)))


def names_used(code: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}


def names_bound(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Name(name, ast.Store()) | ast.FunctionDef(name) | ast.ClassDef(name):
                yield name
            case ast.Import(names) | ast.ImportFrom(_, names):
                yield from (each.asname or each.name.partition(".")[0] for each in names)


def names_called(code: str) -> set[str]:
    calls = [node.func for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return {call.id if isinstance(call, ast.Name) else getattr(call, "attr", "") for call in calls}


def problems(lesson: Lesson) -> list[str]:
    """Return what code of a lesson does that its page does not show."""
    found = []
    order = list(lesson.shown)
    for section, code in lesson.hidden.items():
        later = [lesson.shown[each] for each in order[order.index(section) + 1 :]]
        bound = {*names_bound(code)} & set().union(*map(names_used, later))
        rebound = {name for each in later for name in names_bound(each)}  # by shown code, before or where it is used
        if bound - rebound:
            found.append(f"{lesson.name}:{section}: binds {sorted(bound - rebound)}, which shown code uses")
        if shows := names_called(code) & OUTPUT:
            found.append(f"{lesson.name}:{section}: calls {sorted(shows)}")
    if "markdown-exec: hide" in "".join(lesson.shown.values()):
        found.append(f"{lesson.name}: hides a line of a section")
    return found


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_hidden_code_changes_nothing_that_is_shown(path: Path) -> None:
    assert problems(cut(path.name, path.read_text(encoding="utf8"))) == []


@pytest.mark.parametrize(
    ("hidden", "shown", "problem"),
    [
        ("x = 1", "print(x)", "binds ['x']"),
        ("import data", "data.ready()", "binds ['data']"),
        ("def f(): ...", "f()", "binds ['f']"),
        ("print(1)", "pass", "calls ['print']"),
        ("plt.plot([1])", "pass", "calls ['plot']"),
        ("assert True", "x = 1  # markdown-exec: hide", "hides a line"),
    ],
)
def test_the_test_above_finds_hidden_code_that_matters(hidden: str, shown: str, problem: str) -> None:
    text = f"# --8<-- [start:a]\npass\n# --8<-- [end:a]\n{hidden}\n# --8<-- [start:b]\n{shown}\n# --8<-- [end:b]\n"
    assert problem in "".join(problems(cut("p.py", text)))


@pytest.fixture(scope="module")
def pages(site: Path) -> LoadedSite:
    """Return this site, whose blocks have all run."""
    return load_site(ROOT / "mkdocs.yml")


def test_pages_show_the_same_without_their_hidden_code(pages: LoadedSite, tmp_path: Path) -> None:
    blocks = [block for page in pages.pages for block in page.blocks if not block.measured]
    kept = [
        block for session in group_sessions(blocks) if session.label not in NOT_COMPARED for block in session.blocks
    ]
    texts = []
    for part, cache in (
        (kept, pages.config.cache),  # as the site has been built, so mostly hits
        ([replace(block, checks="", sweep=ONCE) for block in kept], str(tmp_path)),
    ):
        engine = Engine(replace(pages.config, cache=cache, errors="show"))
        texts.append([ADDRESS.sub("", as_text(replace(run, cases=()))) for run in engine.run(part)])
        engine.close()
    assert any(block.checks for block in kept)
    assert [str(block) for block, one, other in zip(kept, *texts, strict=True) if one != other] == []


def test_values_that_prose_quotes_may_come_from_hidden_code() -> None:
    text = "# --8<-- [start:a]\npass\n# --8<-- [end:a]\nright = 0.5\n# --8<-- [start:b]\npass\n# --8<-- [end:b]\n"
    assert problems(cut("p.py", text)) == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_section_is_on_a_page(path: Path) -> None:
    pages = "".join(page.read_text(encoding="utf8") for page in (ROOT / "docs").glob("*.md"))
    included = {(match["file"], match["section"]) for match in FENCE.finditer(pages)}
    sections = cut(path.name, path.read_text(encoding="utf8")).shown
    assert [section for section in sections if (path.name, section) not in included] == []
