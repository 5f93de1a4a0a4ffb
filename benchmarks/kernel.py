"""What the start of a kernel costs, as ratios to a bare interpreter measured in the same run.

    python benchmarks/kernel.py          a few seconds; Linux and macOS

CPU time until a block without code has run and the process has exited, and resident memory after that block. The floor
is a Python that waits for its input, in the same environment and an empty folder, too. Medians of nine. The other table
is about forks of a base (Linux) that has loaded torch: their CPU time with what they cost the base and its supervisor,
and the memory of the base and of ten forks, with the share of each in what they have in common.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from codeout import Block, Config
from codeout.model.blocks import Place
from codeout.run.launch import kernel_environment, start_kernel
from codeout.run.process import KernelProcess
from codeout.run.protocol import LoadRequest, RunRequest, encode

TIMES = 9
MAX_CPU, MAX_MEMORY = 0.15, 25.0  # seconds and MB that a start may take

MAX_FORK_CPU = 0.03  # seconds
FORKS = 10
EMPTY = Block(place=Place("page.md", 1), session="s", code="", origin=Place("page.md", 1))

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

    if sys.platform == "linux":
        measure_base()


def measure_base() -> None:
    """Measure forks of a process that has loaded torch, and print a table in Markdown."""
    root = KernelProcess(Config(), is_base=True)
    base = KernelProcess(Config(), origin=root, is_base=True)
    base.load(LoadRequest(units=(("torch", ""),)))
    alone = base.memory()
    supervisor = psutil.Process(root.pid).parent()
    others = [psutil.Process(base.pid), *([supervisor] if supervisor else [])]
    whole = [measure_fork(base, others) for _ in range(TIMES)]
    forks = [KernelProcess(Config(), origin=base) for _ in range(FORKS)]
    for fork in forks:
        fork.run(EMPTY, lambda _: None)
    sizes = [process.memory() / 1e6 for process in (base, *forks)]
    for process in (*forks, base, root):
        process.close()
    print("\n| forks of a base with torch | figure | limit |\n| --- | ---: | ---: |")
    print(f"| CPU of a fork, s | {statistics.median(whole):.3f} | {MAX_FORK_CPU} |")
    print(f"| memory of the base alone, MB | {alone / 1e6:.0f} | |")
    print(f"| share of the base beside {FORKS} forks, MB | {sizes[0]:.0f} | |")
    print(f"| share of each of {FORKS} forks, MB | {statistics.median(sizes[1:]):.0f} | |")


def measure_fork(base: KernelProcess, others: Sequence[psutil.Process]) -> float:
    """Fork a kernel, run a block without code in it, and close it; return the CPU seconds of all that took part."""
    before = sum(map(cpu_of, others))
    fork = KernelProcess(Config(), origin=base)
    fork.run(EMPTY, lambda _: None)
    own = cpu_of(psutil.Process(fork.pid))
    fork.close()
    return own + sum(map(cpu_of, others)) - before


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU seconds of a process."""
    times = process.cpu_times()
    return float(times.user + times.system)


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
