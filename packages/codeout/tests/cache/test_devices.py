"""The device that blocks can use, by its name."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from codeout.cache import environment
from codeout.cache.environment import find_device
from helpers import posix

TWO = "0, GPU-aaaa1111, NVIDIA T4\n1, GPU-bbbb2222, NVIDIA H100\n"

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="its GPU needs no program that names it")


@pytest.mark.parametrize(
    ("listed", "visible", "name"),
    [
        pytest.param(TWO, None, "NVIDIA T4", id="the first"),
        pytest.param(TWO, "1", "NVIDIA H100", id="by its number"),
        pytest.param(TWO, "1,0", "NVIDIA H100", id="the first of those that are named"),
        pytest.param(TWO, "GPU-bbbb", "NVIDIA H100", id="by the beginning of its UUID"),
        pytest.param(TWO, "7", "CPU", id="one that is not there"),
        pytest.param("", None, "CPU", id="none"),
        pytest.param("No devices were found", None, "CPU", id="a sentence"),
    ],
)
def test_the_device_is_the_first_that_cuda_will_use(listed: str, visible: str | None, name: str) -> None:
    assert find_device(listed, visible) == name


@posix
@pytest.mark.parametrize("program", ["sleep 30", "exit 1", "echo nothing of use"])
def test_a_program_that_hangs_or_fails_means_the_cpu_soon(
    tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "nvidia-smi"
    script.write_text(f"#!/bin/sh\n{program}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    start = time.monotonic()
    assert environment.detect_device.__wrapped__() == "CPU"
    assert time.monotonic() - start < 10


@posix
def test_a_program_that_cannot_be_executed_means_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvidia-smi").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert environment.detect_device.__wrapped__() == "CPU"
