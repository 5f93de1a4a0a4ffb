"""What observing a block costs: steps of training with the audit hook, as a ratio to the same steps without it.

    python benchmarks/tracing.py    about two minutes

Processes with and without the hook take turns, since a hook cannot be removed; medians of seven. The network and the
batch are those of "Training a classifier". A million printed lines are timed as well, against Python alone.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from codeout import Block, Config, Engine
from codeout.model.blocks import Place

TIMES = 7
STEPS = 1_500
LINES = 1_000_000

TRAINING = f"""
import sys, tempfile, time
import torch
from torch import nn
if sys.argv[1] == "traced":
    from codeout.kernel.tracer import Tracer
    Tracer(tempfile.mkdtemp()).start()
torch.set_num_threads(1)
torch.manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)
optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
criterion = nn.CrossEntropyLoss()
pictures, labels = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 3])


def train(steps):
    for _ in range(steps):
        optimizer.zero_grad()
        criterion(net(pictures), labels).backward()
        optimizer.step()


train(100)
start = time.perf_counter()
train({STEPS})
print(time.perf_counter() - start)
"""


def main() -> None:
    """Measure, and print a table in Markdown."""
    pairs = [(_train("plain"), _train("traced")) for _ in range(TIMES)]
    plain, traced = (statistics.median(times) for times in zip(*pairs, strict=True))
    alone, printed = _print_lines()
    print("| | alone, s | observed, s | ratio |\n| --- | ---: | ---: | ---: |")
    print(f"| {STEPS:,} steps of training | {plain:.2f} | {traced:.2f} | {traced / plain:.3f} |")
    print(f"| {LINES:,} printed lines | {alone:.2f} | {printed:.2f} | {printed / alone:.1f} |")


def _train(kind: str) -> float:
    done = subprocess.run([sys.executable, "-c", TRAINING, kind], capture_output=True, text=True, check=True)
    return float(done.stdout)


def _print_lines() -> tuple[float, float]:
    """Return how long a million lines take Python alone, with a pipe, and a block."""
    code = f"for i in range({LINES}):\n    print(i)"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    alone = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        block = Block(place=Place("docs/a.md", 1), session="s", code=code, origin=Place("docs/a.md", 2))
        (run,) = Engine(Config(root=Path(folder))).run([block])
    return alone, run.provenance.seconds


if __name__ == "__main__":
    main()
