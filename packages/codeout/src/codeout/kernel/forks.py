"""Fork the process: checkpoints, from which the session resumes, branches for cases of a sweep, and copies for checks.

A fork gets a connection of its own, and a control socket on which it can hand over the connections of its own forks. It
makes both before it forks, and passes the other ends through its own control socket: nothing has a name that a block
could find, or that could be too long.

A checkpoint waits on its connection. Asked to resume, it forks once more: it stays as it is for the next edit, and its
own copy becomes the kernel. The connection closes when the parent ends, and the checkpoint ends with it. A copy for
checks changes nothing here, whatever it does; its events arrive all the same.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import signal
import socket
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from codeout.kernel.events import EventLog
from codeout.kernel.pools import forget_workers
from codeout.kernel.sharing import OpenFile

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
OMP_PAUSE_HARD = 2  # `omp_pause_hard`, OpenMP 5.0, 6.2.5: release all threads; the next parallel region starts new ones
PROCESS = Path("/proc/self")
END = b'{"event": "end"'
"""What a copy sends last begins so; the parent keeps it to itself."""
RESUMED = 0  # the ticket of a process that resumes from a checkpoint: each is like the others


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


def end_with_parent() -> None:
    """Let Linux end this process when its parent is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans(*, adopts: bool = True) -> None:
    """Let Linux give this process its descendants whose parent has ended, so that the build can find them; or not."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(adopts))


class Channel:
    """What ties a process that may be forked to the parent: a socket for forks, and one for requests and events."""

    def __init__(self, control: socket.socket, connection: socket.socket | None = None) -> None:
        """Take the sockets; the first kernel, which has pipes, has no connection."""
        self.control, self.connection = control, connection


def fork_branch(channel: Channel, ticket: int, files: Iterable[OpenFile], hang_up: Callable[[], None]) -> Channel | int:
    """Fork a process that goes on beside this one; return its id in this one, and in the fork its own channel.

    The fork is handed over with the ticket, and opens the files for itself. `hang_up` closes what it has inherited of
    the connection to the parent.
    """
    connections, controls = socket.socketpair(), socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    state = random.getstate()
    pid = os.fork()
    if pid:
        socket.send_fds(channel.control, [f"{pid} {ticket}".encode()], [connections[1].fileno(), controls[1].fileno()])
        for end in (*connections, *controls):
            end.close()
        return pid
    _begin_fork(state, files)
    hang_up()
    for end in (connections[1], controls[1], channel.control, *([channel.connection] if channel.connection else ())):
        end.close()
    return Channel(controls[0], connections[0])


def fork_checkpoint(
    channel: Channel, ticket: int, files: Sequence[OpenFile], hang_up: Callable[[], None]
) -> Channel | int:
    """Fork a checkpoint of this process, as `fork_branch` does; return its id in this one, which continues as before.

    In each process that resumes from the checkpoint, at some later time, return its own channel.
    """
    own = fork_branch(channel, ticket, files, hang_up)
    if isinstance(own, int) or own.connection is None:
        return own
    while own.connection.recv(1):
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass  # collect the exit status of resumed processes that have ended
        resumed = fork_branch(own, RESUMED, files, lambda: None)
        if isinstance(resumed, Channel):
            return resumed
    os._exit(0)


def _begin_fork(state: Any, files: Iterable[OpenFile]) -> None:
    """Make a fork independent of the process that it is a fork of."""
    # Python has given the generator of `random` a new seed in the fork.
    random.setstate(state)
    forget_workers()
    for file in files:
        file.reopen()


def run_in_copy(log: EventLog, files: Iterable[OpenFile], work: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return what a function, which raises nothing, returns in a fork, for JSON. The process must share nothing."""
    reader, writer = os.pipe()
    release_threads()
    state = random.getstate()
    pid = os.fork()
    if not pid:
        os.close(reader)
        _be_copy(log, writer, state, files, work)
    os.close(writer)
    last = b""
    with os.fdopen(reader, "rb") as events:
        for line in events:
            # A program that the copy has left running may keep the pipe open.
            if line.startswith(END):
                last = line
                break
            log.pass_on(line)
    _, status = os.waitpid(pid, 0)
    if not last:
        code = os.waitstatus_to_exitcode(status)
        end = f"exited with code {code}" if code >= 0 else f"were killed by {signal.Signals(-code).name}"
        message = f"the checks {end}"
        log.send("error", type="ChecksError", message=message, traceback=message, line=None, bases=[])
    return json.loads(last)["result"] if last else {}


def _be_copy(
    log: EventLog, writer: int, state: Any, files: Iterable[OpenFile], work: Callable[[], Mapping[str, Any]]
) -> NoReturn:
    """Do the work of the fork, and end it, whatever happens: nothing else of the kernel may go on in it."""
    try:
        _begin_fork(state, files)
        log.adopt(writer)
        log.send("end", result=work())
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)
