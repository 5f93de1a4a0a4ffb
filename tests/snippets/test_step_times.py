"""The times of a training step on recorded devices: collected from recordings, and drawn."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import step_times
from codeout import Block, Config, Engine, Figure, Output, RunStore, Stream
from codeout.model.blocks import Place
from helpers import record
from site_helpers import ROOT, UNFINISHED

PRINTED = "cpu 1: 7.50 ms, 2: 14.00 ms\ncuda:0 1: 0.75 ms, 2: 0.80 ms\nsomething else\n"


def test_printed_times_are_parsed_by_device_and_width() -> None:
    expected = {"cpu": {"1": 7.5, "2": 14.0}, "cuda:0": {"1": 0.75, "2": 0.8}}
    assert step_times.parse_times(PRINTED) == expected


def test_the_block_on_the_page_prints_what_is_parsed(site: Path) -> None:
    store = RunStore(ROOT / ".codeout")
    entries = store.newest_entries().items()
    runs = [store.get(entry.key) for name, entry in entries if "training_on_gpu.md training_on_gpu" in name]
    (times,) = [times for run in runs if run for times in step_times.times_by_machine([run]).values()]
    assert list(times["cpu"]) == ["1", "2", "4", "8", "16"]


@pytest.fixture
def checkout(site: Path, tmp_path: Path) -> Path:
    """Return a copy of the site with recordings of all its runs, as if of a GPU and of real data."""
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data" / "cifar10.json", tmp_path / "data")
    for part in ("docs", "snippets", "overrides", "hooks", ".codeout"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns(UNFINISHED))
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    add_gpu = partial(re.sub, r"(?m)^cpu (1: .*)$", r"cpu \1\ncuda:0 1: 0.70 ms, 2: 0.80 ms")
    record(tmp_path, text=add_gpu, sources=())
    return tmp_path


def collect(checkout: Path) -> dict[str, step_times.Times]:
    subprocess.run([sys.executable, "snippets/support/step_times.py"], cwd=checkout, check=True)
    return dict(json.loads((checkout / "data" / "steps.json").read_text()))


def test_recordings_of_the_code_on_the_page_are_collected(checkout: Path) -> None:
    assert collect(checkout)["NVIDIA T4"]["cuda:0"] == {"1": 0.7, "2": 0.8}
    written = (checkout / "data" / "steps.json").stat().st_mtime_ns
    collect(checkout)
    assert (checkout / "data" / "steps.json").stat().st_mtime_ns == written, "nothing has changed"


def test_recordings_of_other_code_are_left_out(checkout: Path) -> None:
    snippet = checkout / "snippets" / "training_on_gpu.py"
    snippet.write_text(snippet.read_text().replace("steps=10", "steps=11"))
    assert collect(checkout) == {}


def test_without_recordings_there_are_no_times(checkout: Path) -> None:
    shutil.rmtree(checkout / "recordings")
    assert collect(checkout) == {}


def chart_outputs(folder: Path, times: str | None) -> tuple[Output, ...]:
    """Run the block of the chart; return its outputs."""
    (folder / "data").mkdir()
    if times is not None:
        (folder / "data" / "steps.json").write_text(times)
    code = "import step_times_chart\nstep_times_chart.show()"
    block = Block(place=Place("docs/p.md", 1), session="devices", code=code, origin=Place("docs/p.md", 2))
    snippets = ROOT / "snippets"
    paths = {
        "paths": [str(snippets / "support")],
        "prelude": str(snippets / "prelude.py"),
        "links": ["data"],
        "sandbox": True,
    }
    return Engine(Config.from_options({"root": folder, "timeout": 60, **paths})).run([block])[0].outputs


def test_the_chart_has_a_line_for_each_recorded_device(tmp_path: Path) -> None:
    times = {device: step_times.parse_times(PRINTED) for device in ("NVIDIA H100", "NVIDIA T4")}
    (figure,) = [output for output in chart_outputs(tmp_path, json.dumps(times)) if isinstance(output, Figure)]
    labels = re.findall(r">([^<]*NVIDIA[^<]*)</text>", figure.data["image/svg+xml"])
    assert labels == ["CPU beside the NVIDIA H100", "NVIDIA H100", "CPU beside the NVIDIA T4", "NVIDIA T4"]
    assert "milliseconds against width" in figure.alt


@pytest.mark.parametrize("times", [None, "{}"])
def test_where_nothing_was_recorded_the_page_says_so(tmp_path: Path, times: str | None) -> None:
    (stream,) = chart_outputs(tmp_path, times)
    assert isinstance(stream, Stream)
    assert stream.text.startswith("Other machines have other devices. Nobody has recorded this page")
