"""What the processes of a session have noted: each thing once, collected in the kernel, sent to it by the others."""

from __future__ import annotations

import json
import os
from typing import Any

from codeout.kernel import scratch

State = None | str | list[int]
"""Of something that was read: the status of a regular file, or a word; None if it did not exist."""


class ObservationLog:
    """What this process has noted, and in the kernel also what the others have."""

    def __init__(self, folder: str) -> None:
        """Note nothing yet; the folder is the scratch folder of the session."""
        self._observations: list[list[Any]] = []
        self._identities: set[tuple[str, str]] = set()
        self._path = os.path.join(folder, scratch.INPUTS)  # one JSON array per line
        self._position = 0  # in the file: what is before it has been taken
        self._descriptor: int | None = None  # of the file; None in the kernel itself

    def become_child(self) -> None:
        """Go on in a process that the kernel or another child has forked, or that a block has started."""
        self._close()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self._descriptor = os.open(self._path, flags)

    def become_kernel(self) -> None:
        """Go on as the kernel, in a process that resumes from a checkpoint: what was noted since is not its own."""
        self._close()
        self._observations.clear()
        self._position = os.path.getsize(self._path) if os.path.exists(self._path) else 0

    def add(self, kind: str, name: str, state: State = None) -> None:
        """Note something with its state, unless it has been noted."""
        if self.is_new(kind, name):
            self.send(kind, name, state)

    def is_new(self, kind: str, name: str) -> bool:
        """Return whether something is noted for the first time, and remember it; its state is to be sent then."""
        if (kind, name) in self._identities:
            return False
        self._identities.add((kind, name))
        return True

    def has(self, kind: str, name: str) -> bool:
        """Return whether something has been noted."""
        return (kind, name) in self._identities

    def send(self, kind: str, name: str, state: State) -> None:
        """Collect something, or send it to the kernel."""
        if self._descriptor is None:
            self._observations.append([kind, name, state])
        else:
            os.write(self._descriptor, json.dumps([kind, name, state]).encode() + b"\n")

    def take(self) -> list[list[Any]]:
        """Return what was noted since the last call, by all processes of the session."""
        if os.path.exists(self._path):
            with open(self._path, "rb") as file:
                file.seek(self._position)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # it is being written
                    self._position += len(line)
                    self._add_line(line)
        observations, self._observations = self._observations, []
        return observations

    def _add_line(self, line: bytes) -> None:
        try:
            kind, name, state = json.loads(line)
        except ValueError:  # a block has written to the file
            return
        self.add(str(kind), str(name), state)

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None
