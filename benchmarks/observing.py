"""What observing a block costs, as a ratio to the same code in plain Python.

    python benchmarks/observing.py    about four minutes

Each code says itself how long it took. Blocks and plain processes take turns; medians of five. The network and the
batch are those of "Training a classifier".
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from codeout import Block, Config, Engine, Stream
from codeout.model.blocks import Place

TIMES = 5
STEPS, LINES, FILES = 1_500, 1_000_000, 100_000
BEGIN, END = "import sys, time\n", "print('\\nseconds', time.perf_counter() - start)\n"

CODES = {
    f"{STEPS:,} steps of training": f"""
import torch
from torch import nn
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
""",
    "imports of torch, torchvision and Matplotlib": """
start = time.perf_counter()
import torch, torchvision, matplotlib.pyplot
""",
    f"{FILES:,} files opened": f"""
import os, tempfile
folder = tempfile.mkdtemp()
start = time.perf_counter()
for number in range({FILES}):
    open(os.path.join(folder, str(number % 100)), "w").close()
""",
    f"{LINES:,} printed lines": f"""
start = time.perf_counter()
for i in range({LINES}):
    print(i)
""",
}


def main() -> None:
    """Measure, and print a table in Markdown."""
    print("| | plain, s | observed, s | ratio |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for name, code in CODES.items():
            # The first pair counts for nothing: Matplotlib makes its list of fonts in a new home folder.
            pairs = [(_plain(code), _observed(f"{code}# {number}\n", Path(folder))) for number in range(TIMES + 1)][1:]
            plain, observed = (statistics.median(times) for times in zip(*pairs, strict=True))
            print(f"| {name} | {plain:.2f} | {observed:.2f} | {observed / plain:.3f} |", flush=True)


def _plain(code: str) -> float:
    command = [sys.executable, "-c", BEGIN + code + END]
    return _seconds(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _observed(code: str, folder: Path) -> float:
    place = Place("docs/a.md", 1)
    block = Block(place=place, session="s", code=BEGIN + code + END, origin=Place("docs/a.md", 2))
    engine = Engine(Config(root=folder))
    (run,) = engine.run([block])
    engine.close()
    return _seconds("".join(output.text for output in run.outputs if isinstance(output, Stream)))


def _seconds(text: str) -> float:
    return float(text.rpartition("seconds")[2])


if __name__ == "__main__":
    main()
