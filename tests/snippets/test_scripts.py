"""Each snippet is a script that runs alone: from a checkout of the snippets, with stand-ins for data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(name: str, folder: Path) -> str:
    environment = {**os.environ, "MPLBACKEND": "agg", "TUTORIAL_STANDINS": "only"}
    command = [sys.executable, f"snippets/{name}.py"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("index", ["tensor(6.)"]),
        ("autograd", ["tensor([True, True])\ntensor([True, True])", "wrote figures"]),
        ("neural_networks", ["Net(\n  (conv1)", "10\ntorch.Size([6, 1, 5, 5])", "wrote figures"]),
        ("training_a_classifier", ["Finished Training", "GroundTruth: ", "on the 2000 test images"]),
        ("training_on_gpu", ["last 200 steps"]),
    ],
)
def test_a_snippet_runs_as_a_script_and_its_assertions_hold(standins: Path, name: str, printed: list[str]) -> None:
    out = run(name, standins)
    assert [words for words in printed if words not in out] == []


def test_diagrams_of_a_script_are_files(standins: Path) -> None:
    run("autograd", standins)
    assert (standins / "figures" / "autograd-graph.svg").read_text(encoding="utf8").startswith("<svg")
