"""Find and kill the processes that blocks have started, wherever they have moved."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

MAX_ROUNDS = 20  # of looking for processes that start others when they end


def descendants(pids: Iterable[int]) -> tuple[psutil.Process, ...]:
    """Return the processes that these have started, those included that have left the process group."""
    found: list[psutil.Process] = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found += psutil.Process(pid).children(recursive=True)
    return tuple(found)


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """Kill processes; those that are gone don't matter."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def kill_group(leader: int, started: subprocess.Popen[bytes] | None) -> None:
    """Kill a process and all of its process group, and then the one that was started, if it is another."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
    if started:
        started.kill()
        started.wait()


def wait_for(pid: int, seconds: float) -> bool:
    """Wait for the end of a process that another one has started; return whether it has ended in time."""
    deadline, delay = time.monotonic() + seconds, 0.0005
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(delay)
        delay = min(2 * delay, 0.02)
    return True


def exit_code_of(pid: int) -> int:
    """Return how a process has ended that its parent has not waited for yet, as `subprocess` gives it.

    The last field of its status is what waitpid(2) will report, proc(5).

    Raises:
        OSError: its parent has.
    """
    return os.waitstatus_to_exitcode(int(Path(f"/proc/{pid}/stat").read_text().rpartition(" ")[2]))


def kill_strays(folder: str) -> None:
    """Kill the processes whose temporary folder, by their environment, is below this folder."""
    for _ in range(MAX_ROUNDS):
        strays = _strays(folder)
        if not strays:
            return
        for process in strays:
            with contextlib.suppress(psutil.Error):
                process.kill()


def is_running(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def describe_exit(code: int) -> str:
    """Return how a process ended, by its exit code as `subprocess` gives it."""
    if code >= 0:
        return f"exited with code {code}"
    names = {member.value: member.name for member in signal.Signals}  # real-time signals have none
    name = names.get(-code, f"signal {-code}")
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _strays(folder: str) -> list[psutil.Process]:
    found = []
    for pid in psutil.pids():  # `process_iter` is not for several threads at once
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if process.environ().get("TMPDIR", "").startswith(folder + os.sep):
                found.append(process)
    return found
