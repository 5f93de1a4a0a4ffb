"""The worker's side of resuming: a copy of the process after each block, made by `fork`, from which an edit goes on.

Forking is only safe while a single thread computes: locks that another thread holds stay locked in the copy. So no
copy is made of a process with threads, whoever started them, and none anywhere but on Linux.

A copy sleeps on a socket to the build. Asked to go on, it forks once more: it stays as it is, for the next edit, and
its own copy becomes the worker. When the build is gone, so is the socket, and a copy ends.
"""

from __future__ import annotations

import json
import os
import random
import socket
import sys
from collections.abc import Callable
from pathlib import Path

CONTROL = ".control"  # socket of the scratch folder, on which the build listens


def safe() -> bool:
    """Return whether this process may be forked."""
    return sys.platform == "linux" and len(list(Path("/proc/self/task").iterdir())) == 1


def take(control: Path, number: int, leave: Callable[[], None]) -> socket.socket | None:
    """Leave a copy of this process behind.

    Args:
        control: the socket on which the build listens.
        number: how many blocks have run.
        leave: lets go, in the copy, of what leads to the build from the process that it is a copy of.

    Returns:
        None in the process that goes on as before. In one that goes on from the copy, at some later time: its
        connection to the build.
    """
    if _fork():
        return None
    leave()
    sleeping = _connect(control, {"checkpoint": number})
    while sleeping.recv(1):
        _reap()
        if not _fork():
            sleeping.close()
            return _connect(control, {"resumed": number})
    os._exit(0)


def _fork() -> int:
    """Fork, and keep in the copy what Python changes there: it seeds the generator of `random` anew."""
    state = random.getstate()
    pid = os.fork()
    if not pid:
        random.setstate(state)
    return pid


def _connect(control: Path, hello: dict[str, int]) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(control))
    connection.sendall(json.dumps({**hello, "pid": os.getpid()}).encode() + b"\n")
    return connection


def _reap() -> None:
    """Let go of copies that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
