"""The socket of a session on which forks of its kernel connect: checkpoints, what resumes from them, and branches."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

from codeout.kernel import scratch
from codeout.run.protocol import Hello, Role, decode_hello

MAX_WAIT = 5.0  # seconds in which a process must answer; it is given up otherwise
MAX_HELLO_SIZE = 1_000  # bytes


class ControlSocket:
    """Accepts the forks that are expected, one at a time."""

    def __init__(self, folder: Path) -> None:
        """Listen in the scratch folder of the session."""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(folder / scratch.CONTROL))
        self._listener.listen()

    def accept(self, role: Role, number: int = 0) -> tuple[socket.socket, int] | None:
        """Return the connection of a process and its id; None if it does not connect in time.

        Others that connect are turned away: a checkpoint that comes too late, or a block that found the socket.
        """
        deadline = time.monotonic() + MAX_WAIT
        with contextlib.suppress(OSError):
            while (left := deadline - time.monotonic()) > 0:
                self._listener.settimeout(left)
                connection, _ = self._listener.accept()
                hello = _read_hello(connection)
                if hello and (hello.role, hello.number) == (role, number):
                    return connection, hello.pid
                connection.close()
        return None

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


def _read_hello(connection: socket.socket) -> Hello | None:
    """Return what a process that has connected sends first; None if it sends something else, or nothing in time."""
    connection.settimeout(MAX_WAIT)
    try:
        with connection.makefile("rb") as stream:
            line = stream.readline(MAX_HELLO_SIZE)
        connection.settimeout(None)
    except OSError:
        return None
    return decode_hello(line)
