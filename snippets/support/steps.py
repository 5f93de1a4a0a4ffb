"""How long a training step took on the devices that have been recorded: from `recordings/` to `data/steps.json`.

Only recordings of the code that is on the page now count. `snippets/support/prepare.py` calls this; `recorded.py` draws it.
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
    from codeout import RunStore, Stream
    from codeout.cli.site import SiteConfig
    from codeout.cache.environment import session_inputs
    from codeout.cache.recordings import Recordings

    site = SiteConfig(ROOT / "mkdocs.yml")
    session = [block for block in site.blocks([ROOT / PAGE]) if block.session == SESSION]
    number = next(number for number, block in enumerate(session) if block.section == SECTION)
    recordings = Recordings(RunStore(site.config.path(site.config.recordings)))
    recordings.look()
    runs = recordings.of(session_inputs(session, site.config)[number].key.code, lambda _: True)
    texts = {run.provenance.device: "".join(o.text for o in run.outputs if isinstance(o, Stream)) for run in runs}
    return {device: found for device, text in texts.items() if (found := series(text))}


def write() -> None:
    """Write `data/steps.json` anew, if recordings or the code have changed since it was written."""
    file, seen = ROOT / "data" / "steps.json", ROOT / "data" / ".steps-seen.json"
    recordings = sorted((ROOT / "recordings").glob("??/*.json"))
    watched = [*recordings, *sorted((ROOT / "snippets").rglob("*.py")), ROOT / PAGE, ROOT / "mkdocs.yml"]
    stamp = [[path.name, path.stat().st_mtime_ns] for path in watched] if recordings else []
    if file.is_file() and seen.is_file() and json.loads(seen.read_text(encoding="utf8")) == stamp:
        return
    file.parent.mkdir(exist_ok=True)
    for path, content in ((file, recorded() if recordings else {}), (seen, stamp)):
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf8") as new:
            json.dump(content, new, indent=1, sort_keys=True)
        os.replace(new.name, path)


if __name__ == "__main__":
    write()
