"""How long a training step took on the devices that have been recorded: from `recordings/` to `data/steps.json`.

Only recordings of the current code of the page count. `snippets/support/prepare.py` calls this module, and
`recorded.py` draws the result.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path

ROOT = Path(os.environ.get("CODEOUT_ROOT") or Path(__file__).resolve().parents[2])
PAGE, SESSION, SECTION = "docs/training_on_gpu.md", "training_on_gpu", "time"
LINE = re.compile(r"^(?P<device>[\w:]+) (?P<times>\d+: [\d.]+ ms(?:, \d+: [\d.]+ ms)*)$", re.MULTILINE)


def series(text: str) -> dict[str, dict[str, float]]:
    """Return what the block prints, read: milliseconds of a step, by device and width."""
    return {
        line["device"]: {width: float(ms) for width, ms in re.findall(r"(\d+): ([\d.]+) ms", line["times"])}
        for line in LINE.finditer(text)
    }


def recorded() -> dict[str, dict[str, dict[str, float]]]:
    """Return what was measured on each device that has been recorded, by the device's name."""
    from codeout import Stream
    from codeout.cache.environment import add_keys
    from codeout.cache.recordings import Recordings, recordings_in
    from codeout.cli.site import CommandSite
    from codeout.model.blocks import group_sessions

    site = CommandSite(ROOT / "mkdocs.yml")
    blocks = [block for block in site.blocks([ROOT / PAGE]) if block.session == SESSION]
    number = next(number for number, block in enumerate(blocks) if block.section == SECTION)
    (session,) = group_sessions(blocks)
    recordings = Recordings(recordings_in(site.config.path(site.config.recordings)))
    recordings.refresh()
    runs = recordings.find(add_keys(session, site.config).keys[number].code, lambda _: True)
    texts = {run.provenance.device: "".join(o.text for o in run.outputs if isinstance(o, Stream)) for run in runs}
    return {device: times for device, text in texts.items() if (times := series(text))}


def write() -> None:
    """Rewrite `data/steps.json` if recordings or the code have changed since it was written."""
    file, stamp_file = ROOT / "data" / "steps.json", ROOT / "data" / ".steps-seen.json"
    recordings = sorted((ROOT / "recordings").glob("??/*.json"))
    watched = [*recordings, *sorted((ROOT / "snippets").rglob("*.py")), ROOT / PAGE, ROOT / "mkdocs.yml"]
    stamp = [[path.name, path.stat().st_mtime_ns] for path in watched] if recordings else []
    if file.is_file() and stamp_file.is_file() and json.loads(stamp_file.read_text(encoding="utf8")) == stamp:
        return
    file.parent.mkdir(exist_ok=True)
    for path, content in ((file, recorded() if recordings else {}), (stamp_file, stamp)):
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf8") as new:
            json.dump(content, new, indent=1, sort_keys=True)
        Path(new.name).replace(path)


if __name__ == "__main__":
    write()
