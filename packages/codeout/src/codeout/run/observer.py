"""The build's side of the supervisor of a kernel, which knows what each process of a session has touched."""

from __future__ import annotations

import contextlib
import json
import socket
from threading import Lock
from typing import Any, TypeVar

import msgspec

from codeout.run.connection import Closed
from codeout.run.protocol import DoneEvent, LoadedEvent, Touched

MAX_START_TIME = 60.0
"""Seconds that Python may take to start, on a machine that is busy."""
Report = TypeVar("Report", DoneEvent, LoadedEvent)
_decoder = msgspec.json.Decoder(Touched)


class Observer:
    """Asks a supervisor. Any thread may: the cases of a sweep run in several."""

    def __init__(self, connection: socket.socket) -> None:
        """Take the socket on which it answers."""
        self._connection = connection
        self._answers = connection.makefile("rb")
        self._lock = Lock()  # held from a question to its answer
        self._is_supervised = False

    def await_kernel(self) -> int | None:
        """Return the process id of the kernel that the supervisor has started; None if it could not."""
        self._connection.settimeout(MAX_START_TIME)
        with contextlib.suppress(OSError, ValueError):
            pid, self._is_supervised = json.loads(self._answers.readline())
            return int(pid)
        return None

    def complete(self, report: Report, pid: int) -> Report:
        """Return what a kernel reports, with what its process and those that it started have touched.

        Raises:
            Closed: the supervisor is gone, and with it the kernel.
        """
        if not self._is_supervised:
            return report
        touched = _decoder.decode(self._ask(pid))
        return msgspec.structs.replace(report, **msgspec.structs.asdict(touched))

    def note_fork(self, pid: int, fork: int) -> None:
        """Let a fork of a process go on from what that one has touched so far."""
        if self._is_supervised:
            with contextlib.suppress(Closed):  # whoever uses the fork will notice
                self._ask(pid, fork)

    def close(self) -> None:
        """Hang up, which ends the supervisor."""
        self._answers.close()
        self._connection.close()

    def _ask(self, *question: Any) -> bytes:
        with self._lock:
            try:
                self._connection.sendall(json.dumps(question).encode() + b"\n")
                answer = self._answers.readline()
            except (OSError, ValueError):  # ValueError: closed by another thread
                raise Closed from None
        if not answer:
            raise Closed
        return answer
