"""The repository's own state: lint, format, types, imports, tasks, and the promises of the layout."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml

from site_helpers import ROOT

PAGES = (
    *("index", "tensors", "autograd", "neural_networks", "training_a_classifier", "training_on_gpu"),
    "for_authors",
)


def test_the_checks_pass() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nox", "-s", "check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ci_and_the_hook_before_a_commit_run_tasks_of_nox() -> None:
    tasks = {*re.findall(r"^@nox\.session\ndef (\w+)", (ROOT / "noxfile.py").read_text(encoding="utf8"), re.MULTILINE)}
    workflow = (ROOT / ".github" / "workflows" / "check.yml").read_text(encoding="utf8")
    assert {*re.findall(r"nox -s (\w+)", workflow)} == {"check", "docs", "placeholders", "test"} <= tasks
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf8"))["repos"]
    assert [repository["repo"] for repository in hooks] == ["local"], "nothing is downloaded"
    assert [hook["entry"] for hook in hooks[0]["hooks"]] == ["nox -s check"]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_its_snippet_and_every_section_is_on_the_page_in_order(page: str) -> None:
    sections = re.findall(r"\[start:(\w+)\]", (ROOT / "snippets" / f"{page}.py").read_text(encoding="utf8"))
    included = re.findall(rf'--8<-- "{page}\.py:(\w+)"', (ROOT / "docs" / f"{page}.md").read_text(encoding="utf8"))
    assert included == sections
    assert len(set(sections)) == len(sections)


def test_snippets_are_lessons_and_the_prelude() -> None:
    assert sorted(path.stem for path in (ROOT / "snippets").glob("*.py")) == sorted([*PAGES, "prelude"])


def test_the_engine_does_not_import_torch() -> None:
    modules = sorted((ROOT / "packages").glob("*/src/**/*.py"))
    assert len(modules) > 50
    pattern = re.compile(r"^\s*(import|from) torch", re.MULTILINE)
    assert [path for path in modules if pattern.search(path.read_text(encoding="utf8"))] == []
