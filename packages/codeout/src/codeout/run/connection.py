"""The connection to a kernel: requests out, events in, over the pipes of the process or the socket of a fork."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from typing import IO

import msgspec

from codeout.run.protocol import MAX_EVENT_SIZE, Event, Request, decode_event, encode

MAX_WAIT = 5.0
"""Seconds in which a process must answer; it is given up otherwise."""


RESUMED = 0
"""The ticket of a process that resumes from a checkpoint: each is like the others."""


class Closed(Exception):
    """The other end of the connection is gone."""


class Fork(msgspec.Struct, frozen=True, kw_only=True):
    """A fork of a kernel, as it was handed over."""

    pid: int
    connection: socket.socket
    """Takes requests and sends events; to a checkpoint, a byte makes it resume, and closing it ends it."""
    control: socket.socket
    """On which the fork hands over its own forks."""

    def close(self) -> None:
        """Close both sockets."""
        self.connection.close()
        self.control.close()


def accept_fork(control: socket.socket, ticket: int) -> Fork | None:
    """Return the fork that a process hands over with a ticket; None if it does not do so in time, or is gone."""
    deadline = time.monotonic() + MAX_WAIT
    while (left := deadline - time.monotonic()) > 0:
        control.settimeout(left)
        try:
            label, descriptors, _, _ = socket.recv_fds(control, 100, 2)
        except OSError:
            return None
        connection, forks_control = (socket.socket(fileno=each) for each in descriptors) if label else (None, None)
        if connection is None or forks_control is None:
            return None
        pid, _, number = label.partition(b" ")
        fork = Fork(pid=int(pid), connection=connection, control=forks_control)
        if int(number) == ticket:
            return fork
        # One that was given up because it took too long: it is of another moment.
        fork.close()
    return None


class Connection:
    """The connection to the process that runs the blocks now. `receive` is for one thread, the rest for any."""

    def __init__(self, requests: IO[bytes], events: IO[bytes], fork: Fork | None = None) -> None:
        """Collect the events from now on.

        Args:
            requests: where requests are written.
            events: where events are read.
            fork: the process to whose socket both belong, if it is a fork of a kernel.
        """
        self._requests, self._events, self.fork = requests, events, fork
        # A thread of its own reads, so that the pipe of a kernel never fills up while nobody waits for its events.
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    @classmethod
    def from_fork(cls, fork: Fork) -> Connection:
        """Return the connection to a fork of a kernel."""
        return cls(fork.connection.makefile("wb"), fork.connection.makefile("rb"), fork)

    def send(self, request: Request) -> None:
        """Send a request.

        Raises:
            Closed: the process is gone.
        """
        try:
            self._requests.write(encode(request))
            self._requests.flush()
        except (OSError, ValueError):  # ValueError: `close` was called meanwhile
            raise Closed from None

    def receive(self, timeout: float) -> Event | None:
        """Return the next event, None if none arrives within `timeout` seconds.

        Raises:
            Closed: the process is gone, or `cancel` was called.
            InvalidEvent: what it sent is no event.
        """
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            return None
        if not line:
            raise Closed
        return decode_event(line)

    def cancel(self) -> None:
        """Let whoever waits in `receive` know that no event will come."""
        self._lines.put(b"")

    def close(self) -> None:
        """Hang up: the process ends when it asks for its next request."""
        if self.fork:
            with contextlib.suppress(OSError):
                # `close` alone would wait for the thread that reads.
                self.fork.connection.shutdown(socket.SHUT_RDWR)
            self.fork.close()
        with contextlib.suppress(OSError):
            self._requests.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._events:  # ValueError: the file was closed meanwhile
            while line := self._events.readline(MAX_EVENT_SIZE + 1):
                self._lines.put(line)
                if len(line) > MAX_EVENT_SIZE:  # nobody can tell where the next event begins
                    break
        self._lines.put(b"")
