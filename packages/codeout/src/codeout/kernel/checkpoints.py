"""Fork checkpoints: copies of the process after a block, from which the session resumes when a later block changes.

A copy has only the thread that forks, so whatever another thread was to do or to release does not happen in it. The
pools of OpenMP and OpenBLAS are idle between blocks and can be made anew; any other thread is an obstacle, and so are
CUDA, which does not survive a fork, and a file that is open for writing, whose position the copies would share.

A checkpoint waits on a socket to the parent. Asked to resume, it forks once more: it stays as it is for the next edit,
and its own copy becomes the kernel. The socket closes when the parent ends, and the checkpoint ends with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

OMP_PAUSE_HARD = 2  # `omp_pause_hard`, OpenMP 5.0, 6.2.5: release all threads; the next parallel region starts new ones
PROCESS = Path("/proc/self")


def find_obstacle() -> str:
    """Return why this process may not be forked, to complete "because"; an empty string if it may."""
    if sys.platform != "linux":
        return "checkpoints need Linux"
    if file := next(filter(None, map(_obstacle_of, (PROCESS / "fd").iterdir())), ""):
        return file  # first: CUDA also starts threads, with names that say less
    other_threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if other_threads or len(sys._current_frames()) > 1:  # noqa: SLF001  # knows threads that `threading` does not
        return f"a thread runs ({', '.join(other_threads) or 'started below Python'})"
    own_name = (PROCESS / "comm").read_text()
    names = {*map(_name_of, (PROCESS / "task").iterdir())} - {own_name, ""}
    if names:  # a library names the threads of its own pool; those of OpenMP and OpenBLAS have no name
        return f"a thread runs ({', '.join(sorted(name.strip() for name in names))})"
    return ""


def _name_of(task: Path) -> str:
    """Return the name of a thread; an empty string if it has just ended."""
    try:
        return (task / "comm").read_text()
    except OSError:
        return ""


def _obstacle_of(link: Path) -> str:
    """Return why an open file is an obstacle; an empty string if it is none."""
    try:
        path = str(link.readlink())
        flags = (PROCESS / "fdinfo" / link.name).read_text().partition("flags:")[2].split()[0]
    except (OSError, IndexError):  # the one that listed the folder
        return ""
    if path.startswith("/dev/nvidia"):
        return "CUDA is in use"
    is_written = int(flags, 8) & (os.O_WRONLY | os.O_RDWR)
    name = Path(path).name
    if not is_written or not path.startswith("/") or path.startswith(("/dev/", "/memfd:")) or name.startswith("."):
        return ""
    return f"{name.removesuffix(' (deleted)')} is open for writing" if Path(path).is_file() else ""


def release_threads() -> None:
    """End the idle threads of GCC's OpenMP, which a copy of the process would wait for.

    LLVM's OpenMP resets itself in the copy, and must not be asked (llvm-project, pull request 154204); OpenBLAS guards
    its own forks.
    """
    lines = (PROCESS / "maps").read_text().splitlines()
    for library in {line.split(maxsplit=5)[5] for line in lines if "/libgomp" in line}:
        pause = getattr(ctypes.CDLL(library), "omp_pause_resource_all", None)
        if pause is not None:  # there since GCC 9
            pause(OMP_PAUSE_HARD)


def fork_branch(control: Path) -> socket.socket | None:
    """Fork a process that goes on beside this one.

    Args:
        control: the socket on which the parent waits for it.

    Returns:
        None in this process; in the fork, its own connection to the parent.
    """
    return None if _fork() else _connect(control, "branch", 0)


def fork_checkpoint(control: Path, number: int, hang_up: Callable[[], None]) -> socket.socket | None:
    """Fork a checkpoint of this process.

    Args:
        control: the socket on which the parent waits for checkpoints.
        number: how many blocks have run.
        hang_up: closes the connection to the parent that the checkpoint has inherited.

    Returns:
        None in this process, which continues as before. In each process that resumes from the checkpoint, at some
        later time: its own connection to the parent.
    """
    if _fork():
        return None
    hang_up()
    connection = _connect(control, "checkpoint", number)
    while connection.recv(1):
        _reap_children()
        if not _fork():
            connection.close()
            return _connect(control, "resumed", number)
    os._exit(0)


def _fork() -> int:
    """Fork, without Python's new seed for the generator of `random` in the child."""
    state = random.getstate()
    pid = os.fork()
    if not pid:
        random.setstate(state)
    return pid


def _connect(control: Path, role: str, number: int) -> socket.socket:
    """Connect to the parent and introduce this process."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(control))
    hello = {"role": role, "number": number, "pid": os.getpid()}
    connection.sendall(json.dumps(hello).encode() + b"\n")
    return connection


def _reap_children() -> None:
    """Collect the exit status of resumed processes that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
