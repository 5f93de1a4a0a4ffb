"""How long a training step takes on recorded devices: read from `recordings/`, written to `data/steps.json`.

Only recordings of the code that the page has now count. `prepare.py` calls this; `step_times_chart.py` draws it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from data_files import write_json

if TYPE_CHECKING:
    from codeout import Run

ROOT = Path(os.environ.get("CODEOUT_ROOT") or Path.cwd())
PAGE, SESSION, SECTION = "docs/training_on_gpu.md", "training_on_gpu", "time"
LINE = re.compile(r"^(?P<device>[\w:]+) (?P<times>\d+: [\d.]+ ms(?:, \d+: [\d.]+ ms)*)$", re.MULTILINE)

Times = dict[str, dict[str, float]]
"""Milliseconds of a step by PyTorch's name of the device (`cpu`, `cuda:0`) and by width of the network."""


def parse_times(text: str) -> Times:
    """Return the times in what the block on the page prints."""
    return {
        line["device"]: {width: float(ms) for width, ms in re.findall(r"(\d+): ([\d.]+) ms", line["times"])}
        for line in LINE.finditer(text)
    }


def write() -> None:
    """Write `data/steps.json` if recordings or the code have changed since it was last written."""
    file, stamp_file = ROOT / "data" / "steps.json", ROOT / "data" / ".steps-stamp.json"
    recordings = sorted((ROOT / "recordings").glob("??/*.json"))
    inputs = [*recordings, *sorted((ROOT / "snippets").rglob("*.py")), ROOT / PAGE, ROOT / "mkdocs.yml"]
    stamp = [[path.name, path.stat().st_mtime_ns] for path in inputs] if recordings else []
    if file.is_file() and stamp_file.is_file() and json.loads(stamp_file.read_text(encoding="utf8")) == stamp:
        return
    write_json(file, times_by_machine(_recorded_runs()) if recordings else {})
    write_json(stamp_file, stamp)


def times_by_machine(runs: Iterable[Run]) -> dict[str, Times]:
    """Return the times in runs of the block, by the name of the machine's device."""
    from codeout import Stream

    texts = {run.provenance.device: "".join(o.text for o in run.outputs if isinstance(o, Stream)) for run in runs}
    return {device: times for device, text in texts.items() if (times := parse_times(text))}


def _recorded_runs() -> list[Run]:
    """Return the recordings of the block; the only place that knows how codeout finds them."""
    from codeout.cache.lookup import Lookup
    from codeout.mkdocs.loader import load_site
    from codeout.model.blocks import group_sessions
    from codeout.recordings.read import Recordings

    site = load_site(ROOT / "mkdocs.yml")
    blocks = [block for page in site.pages if page.path == PAGE for block in page.blocks if block.session == SESSION]
    lookup = Lookup(site.config)
    keyed = [lookup.add_keys(session) for session in group_sessions(blocks)]
    keys = {block.section: inputs.key for each in keyed for block, inputs in each}
    recordings = Recordings(lookup)
    recordings.refresh()
    return recordings.find(keys[SECTION].code, lambda _: True)


if __name__ == "__main__":
    write()
