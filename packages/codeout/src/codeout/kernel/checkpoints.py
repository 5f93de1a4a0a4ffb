"""Fork checkpoints: copies of the process after a block, from which the session resumes when a later block changes.

A fork is only safe while a single thread runs, because locks that another thread holds stay locked in the copy. So a
process with several threads has no checkpoints, and neither has any process outside of Linux.

A checkpoint waits on a socket to the parent. Asked to resume, it forks once more: it stays as it is for the next edit,
and its own copy becomes the kernel. The socket closes when the parent ends, and the checkpoint ends with it.
"""

from __future__ import annotations

import json
import os
import random
import socket
import sys
from collections.abc import Callable
from pathlib import Path


def can_fork() -> bool:
    """Return whether this process may be forked."""
    return sys.platform == "linux" and len(list(Path("/proc/self/task").iterdir())) == 1


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
    connection = _connect(control, number, resumed=False)
    while connection.recv(1):
        _reap_children()
        if not _fork():
            connection.close()
            return _connect(control, number, resumed=True)
    os._exit(0)


def _fork() -> int:
    """Fork, without Python's new seed for the generator of `random` in the child."""
    state = random.getstate()
    pid = os.fork()
    if not pid:
        random.setstate(state)
    return pid


def _connect(control: Path, number: int, *, resumed: bool) -> socket.socket:
    """Connect to the parent and introduce this process."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(control))
    hello = {"number": number, "resumed": resumed, "pid": os.getpid()}
    connection.sendall(json.dumps(hello).encode() + b"\n")
    return connection


def _reap_children() -> None:
    """Collect the exit status of resumed processes that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
