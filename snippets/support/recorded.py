"""What has been measured on other devices, drawn: a line for each. `steps.py` collects it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import matplotlib.pyplot as plt

ROOT = Path(os.environ.get("CODEOUT_ROOT") or Path.cwd())
NONE = "Other machines have other devices. Nobody has recorded this page on one with a GPU yet."


def chart() -> None:
    """Show the chart; say so if nothing has been recorded, or if nobody has collected it."""
    file = ROOT / "data" / "steps.json"
    devices = json.loads(file.read_text(encoding="utf8")) if file.is_file() else {}
    if not devices:
        print(NONE)
        return
    plt.figure(label="A training step on the devices that were recorded: milliseconds against width of the network")
    for device, measured in sorted(devices.items()):
        for name, milliseconds in measured.items():
            line(f"CPU beside the {device}" if name == "cpu" else device, milliseconds, dashed=name == "cpu")
    plt.xscale("log", base=2)
    plt.yscale("log")
    widths = sorted({int(width) for measured in devices.values() for ms in measured.values() for width in ms})
    plt.xticks(widths, widths)
    plt.title("The same step on recorded devices")
    plt.xlabel("width of the network (1: the tutorial's)")
    plt.ylabel("milliseconds")
    plt.legend(fontsize=8)
    plt.show()


def line(label: str, milliseconds: dict[str, float], *, dashed: bool) -> None:
    widths = sorted(milliseconds, key=int)
    style = "--" if dashed else "-"
    plt.plot(
        [int(width) for width in widths], [milliseconds[width] for width in widths], style, marker="o", label=label
    )
