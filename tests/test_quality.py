"""The code's own state: lint, format, types, and the promises of the layout."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from site_helpers import ROOT

PAGES = ("index", "autograd", "neural_networks", "training_a_classifier", "training_on_gpu")


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
def test_lint_format_and_types_are_clean(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_its_snippet_and_every_section_is_on_the_page_in_order(page: str) -> None:
    sections = re.findall(r"\[start:(\w+)\]", (ROOT / "snippets" / f"{page}.py").read_text(encoding="utf8"))
    included = re.findall(rf'--8<-- "{page}\.py:(\w+)"', (ROOT / "docs" / f"{page}.md").read_text(encoding="utf8"))
    assert included == sections
    assert len(set(sections)) == len(sections)


def test_the_engine_does_not_know_torch() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        assert "torch" not in path.read_text(encoding="utf8"), path
