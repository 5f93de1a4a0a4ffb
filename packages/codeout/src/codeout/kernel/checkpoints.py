"""Fork checkpoints: copies of the process after a block, from which the session resumes when a later block changes.

A copy has only the thread that forks, so whatever another thread was to do or to release does not happen in it. The
pools of OpenMP and OpenBLAS are idle between blocks and can be made anew; any other thread is an obstacle, and so are
CUDA, which does not survive a fork, and a file that is open for writing, whose position the copies would share.

A fork gets a connection of its own, and a control socket on which it can hand over the connections of its own forks. It
makes both before it forks, and passes the other ends through its own control socket: nothing has a name that a block
could find, or that could be too long.

A checkpoint waits on its connection. Asked to resume, it forks once more: it stays as it is for the next edit, and its
own copy becomes the kernel. The connection closes when the parent ends, and the checkpoint ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

OMP_PAUSE_HARD = 2  # `omp_pause_hard`, OpenMP 5.0, 6.2.5: release all threads; the next parallel region starts new ones
PROCESS = Path("/proc/self")
RESUMED = 0  # the ticket of a process that resumes from a checkpoint: each is like the others


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
    with contextlib.suppress(OSError):
        return (task / "comm").read_text()
    return ""  # it has just ended


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


class Channel:
    """What ties a process that may be forked to the parent: a socket for forks, and one for requests and events."""

    def __init__(self, control: socket.socket, connection: socket.socket | None = None) -> None:
        """Take the sockets; the first kernel, which has pipes, has no connection."""
        self.control, self.connection = control, connection


def fork_branch(channel: Channel, ticket: int, hang_up: Callable[[], None]) -> Channel | None:
    """Fork a process that goes on beside this one; return None in this one, and in the fork its own channel.

    The fork is handed over with the ticket. `hang_up` closes what it has inherited of the connection to the parent.
    """
    connections, controls = socket.socketpair(), socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    state = random.getstate()
    pid = os.fork()
    if pid:
        socket.send_fds(channel.control, [f"{pid} {ticket}".encode()], [connections[1].fileno(), controls[1].fileno()])
        for end in (*connections, *controls):
            end.close()
        return None
    # Python has given the generator of `random` a new seed in the fork.
    random.setstate(state)
    hang_up()
    for end in (connections[1], controls[1], channel.control, *([channel.connection] if channel.connection else ())):
        end.close()
    return Channel(controls[0], connections[0])


def fork_checkpoint(channel: Channel, ticket: int, hang_up: Callable[[], None]) -> Channel | None:
    """Fork a checkpoint of this process, as `fork_branch` does; return None in this one, which continues as before.

    In each process that resumes from the checkpoint, at some later time, return its own channel.
    """
    own = fork_branch(channel, ticket, hang_up)
    if own is None or own.connection is None:
        return None
    while own.connection.recv(1):
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass  # collect the exit status of resumed processes that have ended
        if resumed := fork_branch(own, RESUMED, lambda: None):
            return resumed
    os._exit(0)
