"""A build with nothing to do: it runs nothing, and does not import what the snippets import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from site_helpers import ROOT

BUILD = """
import sys
from mkdocs.__main__ import cli
sys.argv = ["mkdocs", "build", "--strict", "--site-dir", {site!r}]
try:
    cli()
finally:
    print("imported:", *sorted({{"torch", "torchvision", "matplotlib", "IPython"}} & set(sys.modules)))
"""


def test_a_second_build_runs_nothing_and_does_not_import_torch(site: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUILD.format(site=str(tmp_path / "again"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "running" not in done.stderr
    assert done.stdout.strip() == "imported:"
    page = "training_a_classifier/index.html"
    assert (tmp_path / "again" / page).read_bytes() == (site / page).read_bytes()


def test_looking_for_data_that_is_there_does_not_import_torch(site: Path) -> None:
    command = [sys.executable, "-X", "importtime", "snippets/support/data.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "json" in done.stderr
    assert "torch" not in done.stderr
