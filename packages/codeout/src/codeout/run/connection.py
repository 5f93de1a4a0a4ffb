"""The connection to a kernel: requests out, events in, over the pipes of the process or a checkpoint's socket."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from typing import IO

from codeout.run.protocol import MAX_EVENT_SIZE, Event, Request, decode_event, encode


class Closed(Exception):
    """The other end of the connection is gone."""


class Connection:
    """The connection to the process that runs the blocks now. `receive` is for one thread, the rest for any."""

    def __init__(self, requests: IO[bytes], events: IO[bytes], resumed: socket.socket | None = None) -> None:
        """Collect the events from now on.

        Args:
            requests: where requests are written.
            events: where events are read.
            resumed: the socket that both belong to, if the process has resumed from a checkpoint.
        """
        self._requests, self._events, self._socket = requests, events, resumed
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    @classmethod
    def from_socket(cls, connection: socket.socket) -> Connection:
        """Return the connection to a process that has resumed from a checkpoint."""
        return cls(connection.makefile("wb"), connection.makefile("rb"), connection)

    def send(self, request: Request) -> None:
        """Send a request.

        Raises:
            Closed: the process is gone.
        """
        try:
            self._requests.write(encode(request))
            self._requests.flush()
        except OSError:
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
        if self._socket:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # `close` alone would wait for the thread that reads
            self._socket.close()
        with contextlib.suppress(OSError):
            self._requests.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._events:  # ValueError: the file was closed meanwhile
            while line := self._events.readline(MAX_EVENT_SIZE + 1):
                self._lines.put(line)
                if len(line) > MAX_EVENT_SIZE:  # nobody can tell where the next event begins
                    break
        self._lines.put(b"")
