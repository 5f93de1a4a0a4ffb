"""The chart of a training step's times on recorded devices, a line for each. `step_times.py` collects them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import matplotlib.pyplot as plt

ROOT = Path(os.environ.get("CODEOUT_ROOT") or Path.cwd())
NO_RECORDINGS = "Other machines have other devices. Nobody has recorded this page on one with a GPU yet."


def show() -> None:
    """Show the chart, or print that nothing has been recorded."""
    file = ROOT / "data" / "steps.json"
    times_by_machine = json.loads(file.read_text(encoding="utf8")) if file.is_file() else {}
    if not times_by_machine:
        print(NO_RECORDINGS)
        return
    plt.figure(label="A training step on the devices that were recorded: milliseconds against width of the network")
    for machine, times in sorted(times_by_machine.items()):
        for device, milliseconds in times.items():
            is_cpu = device == "cpu"
            _line(f"CPU beside the {machine}" if is_cpu else machine, milliseconds, "--" if is_cpu else "-")
    plt.xscale("log", base=2)
    plt.yscale("log")
    widths = sorted({int(width) for times in times_by_machine.values() for ms in times.values() for width in ms})
    plt.xticks(widths, [str(width) for width in widths])
    plt.title("The same step on recorded devices")
    plt.xlabel("width of the network (1: the tutorial's)")
    plt.ylabel("milliseconds")
    plt.legend(fontsize=8)
    plt.show()


def _line(label: str, milliseconds: dict[str, float], style: str) -> None:
    widths = sorted(milliseconds, key=int)
    plt.plot(
        [int(width) for width in widths], [milliseconds[width] for width in widths], style, marker="o", label=label
    )
