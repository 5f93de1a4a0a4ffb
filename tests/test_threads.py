"""Sessions whose libraries start threads of their own resume from a checkpoint, with equal results."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codeout import Block, Config, Engine
from codeout.model.blocks import Place

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a process is forked on Linux alone")

START = """import os, time
open(os.environ['CODEOUT_ROOT'] + '/log', 'a').write('start ')
import numpy as np
import torch
torch.set_num_threads(2)
torch.manual_seed(0)
a = torch.randn(800, 800)
b = np.random.default_rng(0).standard_normal((800, 800))
print(float((a @ a).sum()), float((torch.randn(2_000_000)).sin().sum()), float(np.linalg.svd(b @ b)[1][0]))"""
TRAIN = """model = torch.nn.Linear(800, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(3):
    loss = model(a).square().mean()
    loss.backward()
    optimizer.step()
print(float(loss))"""
LAST = "print({}, float((a @ a.T).sum()), float(np.linalg.norm(b @ b)), float(torch.randn(500_000).exp().sum()))"


def blocks(*codes: str) -> list[Block]:
    return [
        Block(place=Place("docs/a.md", 10 * n), session="s", code=code, origin=Place("docs/a.md", 10 * n + 1))
        for n, code in enumerate(codes, 1)
    ]


def test_a_session_with_threads_of_torch_and_numpy_resumes_with_equal_results(tmp_path: Path) -> None:
    engine = Engine(Config(root=tmp_path, checkpoints=True, timeout=60))
    try:
        engine.run(blocks(START, TRAIN, LAST.format(1)))
        resumed = [run.outputs for run in engine.run(blocks(START, TRAIN, LAST.format(2)))]
        again = [run.outputs for run in engine.run(blocks(START, TRAIN + "\nprint(1)", LAST.format(2)))]
    finally:
        engine.close()
    assert (tmp_path / "log").read_text() == "start ", "the first block ran once"
    clean = Engine(Config(root=tmp_path, cache=".clean", timeout=60))
    assert resumed == [run.outputs for run in clean.run(blocks(START, TRAIN, LAST.format(2)))]
    assert again[2] == resumed[2]
