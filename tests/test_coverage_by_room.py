"""How much of each room the tests execute."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import coverage_by_room

CONFIG = """
[tool.coverage.run]
branch = true
source_pkgs = ["small"]

[tool.coverage.report]
fail_under = 60
"""
FILES = {
    "pyproject.toml": CONFIG,
    "small/__init__.py": "x = 1\n",
    "small/full/__init__.py": "y = 2\n",
    "small/half/__init__.py": "def f(z):\n    if z:\n        return 1\n    return 2\n\n\nf(True)\n",
    "small/none/__init__.py": "z = 3\n",
    "main.py": "import small.full\nimport small.half\n",
}


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a package of which a program, run under coverage, has executed a part."""
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    monkeypatch.chdir(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    subprocess.run([sys.executable, "-m", "coverage", "run", "main.py"], env=environment, check=True)
    return tmp_path / "small"


def test_a_room_below_the_limit_fails(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert coverage_by_room.main(measured) == 1
    assert capsys.readouterr().out.splitlines() == [
        "small       100.0 %",
        "full        100.0 %",
        "half         71.4 %",  # 4 of 5 statements and 1 of 2 branches
        "none          0.0 %  below 60 %",
    ]


def test_rooms_that_are_at_the_limit_pass(measured: Path) -> None:
    (measured / "none" / "__init__.py").unlink()
    assert coverage_by_room.main(measured) == 0
