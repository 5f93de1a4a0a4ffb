"""What the start of a kernel costs, as ratios to a bare interpreter measured in the same run.

    python benchmarks/kernel.py          a few seconds; Linux and macOS

CPU time until a block without code has run and the process has exited, and resident memory after that block. The floor
is a Python that waits for its input, in the same environment and an empty folder, too. Medians of nine.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from codeout import Config
from codeout.run.launch import kernel_environment, start_kernel
from codeout.run.protocol import RunRequest, encode

TIMES = 9
MAX_CPU, MAX_MEMORY = 0.15, 25.0  # seconds and MB that a start may take

Start = Callable[[Config, Path], subprocess.Popen[bytes]]


def main() -> None:
    """Measure, and print a table in Markdown."""
    costs = [(measure_start(start_bare), measure_start(start_session)) for _ in range(TIMES)]  # by turns: both meet
    floor = [statistics.median(bare[i] for bare, _ in costs) for i in (0, 1)]  # the same load
    kernel = [statistics.median(session[i] for _, session in costs) for i in (0, 1)]
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| starting a kernel | bare Python | kernel | ratio | limit |\n| --- | ---: | ---: | ---: | ---: |")
    print(f"| CPU, s | {floor[0]:.3f} | {kernel[0]:.3f} | {kernel[0] / floor[0]:.1f} | {MAX_CPU} |")
    print(f"| resident memory, MB | {floor[1]:.1f} | {kernel[1]:.1f} | {kernel[1] / floor[1]:.1f} | {MAX_MEMORY:.0f} |")


def measure_start(start: Start) -> tuple[float, float]:
    """Start a process, wait until it is ready, and let it exit; return its CPU seconds and its memory in MB."""
    with tempfile.TemporaryDirectory() as folder, start(Config(), Path(folder)) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        process.stdout.readline()
        memory = psutil.Process(process.pid).memory_info().rss / 1e6
        process.stdin.close()
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return usage.ru_utime + usage.ru_stime, memory


def start_session(config: Config, folder: Path) -> subprocess.Popen[bytes]:
    """Start a kernel that runs a block without code, and then sends a line."""
    process = start_kernel(config, folder)
    if process.stdin is None:
        raise AssertionError("it is a pipe")
    request = RunRequest(
        code="",
        checks="",
        checks_line=1,
        file="page.md",
        line=1,
        width=0,
        workdir="",
        keeps_saved_figures=True,
        has_magics=False,
        timeout=60.0,
    )
    process.stdin.write(encode(request))
    process.stdin.flush()
    return process


def start_bare(config: Config, folder: Path) -> subprocess.Popen[bytes]:
    """Start a Python that sends a line, and waits for the end of its input."""
    return subprocess.Popen(
        [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=folder,
        env=kernel_environment(config, folder),
        start_new_session=True,
    )


if __name__ == "__main__":
    main()
