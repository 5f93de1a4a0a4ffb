"""What was recorded on other devices: collected for the chart, and drawn."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import steps
from codeout import Block, Engine, Figure, RunStore, Stream
from codeout.config import Config
from codeout.model.blocks import Place
from helpers import record
from site_helpers import ROOT

PRINTED = "cpu 1: 7.50 ms, 2: 14.00 ms\ncuda:0 1: 0.75 ms, 2: 0.80 ms\nsomething else\n"


def test_what_the_page_prints_is_read() -> None:
    assert steps.series(PRINTED) == {"cpu": {"1": 7.5, "2": 14.0}, "cuda:0": {"1": 0.75, "2": 0.8}}


def test_the_block_prints_what_is_read(site: Path) -> None:
    store = RunStore(ROOT / ".codeout")
    runs = [
        store.get(entry.key)
        for name, entry in store.newest_entries().items()
        if "training_on_gpu.md training_on_gpu" in name
    ]
    texts = ["".join(o.text for o in run.outputs if isinstance(o, Stream)) for run in runs if run]
    (found,) = [each for text in texts if (each := steps.series(text))]
    assert list(found["cpu"]) == ["1", "2", "4", "8", "16"]


@pytest.fixture
def checkout(site: Path, tmp_path: Path) -> Path:
    """Return a copy of the site with recordings of all its runs, as if of a GPU."""
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data" / "cifar10.json", tmp_path / "data")
    for part in ("docs", "snippets", "mkdocs.yml"):
        path = ROOT / part
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, tmp_path / part)
    shutil.copytree(ROOT / ".codeout", tmp_path / ".codeout")
    record(tmp_path, text=lambda text: re.sub(r"(?m)^cpu (1: .*)$", r"cpu \1\ncuda:0 1: 0.70 ms, 2: 0.80 ms", text))
    return tmp_path


def collected(checkout: Path) -> dict[str, object]:
    subprocess.run([sys.executable, "snippets/support/steps.py"], cwd=checkout, check=True)
    return dict(json.loads((checkout / "data" / "steps.json").read_text()))


def test_recordings_of_the_code_on_the_page_are_collected_and_no_others(checkout: Path) -> None:
    found = collected(checkout)
    assert found["NVIDIA T4"]["cuda:0"] == {"1": 0.7, "2": 0.8}
    written = (checkout / "data" / "steps.json").stat().st_mtime_ns
    collected(checkout)
    assert (checkout / "data" / "steps.json").stat().st_mtime_ns == written, "nothing has changed"
    snippet = checkout / "snippets" / "training_on_gpu.py"
    snippet.write_text(snippet.read_text().replace("steps=10", "steps=11"))
    assert collected(checkout) == {}
    shutil.rmtree(checkout / "recordings")
    assert collected(checkout) == {}


def shown(folder: Path, content: str | None) -> tuple[object, ...]:
    (folder / "data").mkdir()
    if content is not None:
        (folder / "data" / "steps.json").write_text(content)
    code = "import recorded\nrecorded.chart()"
    block = Block(Place("docs/p.md", 1), "devices", code, Place("docs/p.md", 2))
    snippets = ROOT / "snippets"
    paths = {"paths": [str(snippets / "support")], "prelude": str(snippets / "prelude.py"), "links": ["data"]}
    config = Config.from_options({"root": folder, "timeout": 60, **paths})
    return Engine(config).run([block])[0].outputs


def test_there_is_a_line_for_each_device_that_was_recorded(tmp_path: Path) -> None:
    told = json.dumps({device: steps.series(PRINTED) for device in ("NVIDIA H100", "NVIDIA T4")})
    (figure,) = [output for output in shown(tmp_path, told) if isinstance(output, Figure)]
    labels = re.findall(r">([^<]*NVIDIA[^<]*)</text>", figure.data["image/svg+xml"])
    assert labels == ["CPU beside the NVIDIA H100", "NVIDIA H100", "CPU beside the NVIDIA T4", "NVIDIA T4"]
    assert "milliseconds against width" in figure.alt


@pytest.mark.parametrize("content", [None, "{}"])
def test_where_nothing_was_recorded_the_page_says_so(tmp_path: Path, content: str | None) -> None:
    (stream,) = shown(tmp_path, content)
    assert stream.text.startswith("Other machines have other devices. Nobody has recorded this page")
