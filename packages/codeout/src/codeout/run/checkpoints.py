"""The checkpoints of a session, on the build's side: waiting processes, each with a copy of the session's files."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import msgspec
import psutil

from codeout.kernel import scratch
from codeout.run.control_socket import ControlSocket
from codeout.run.scratch_files import copy_files, restore_files, size_of_files

MAX_CHECKPOINTS = 32  # of a session
MIN_FREE_MEMORY = 1_000_000_000  # bytes that must be available for another checkpoint
MAX_FILES_SIZE = 200_000_000  # bytes of files that are copied for a checkpoint


class Checkpoint(msgspec.Struct, frozen=True):
    """A process that waits after some block, and the files as they were then."""

    connection: socket.socket
    """A byte makes the process resume; closing the connection ends it."""
    pid: int
    files: Path
    """A copy of the working folder."""


class Checkpoints:
    """The checkpoints of one session, by the number of blocks that had run."""

    def __init__(self, folder: Path, control: ControlSocket) -> None:
        """Take the scratch folder of the session, and the socket on which checkpoints connect."""
        self._files, self._control = folder / scratch.FILES, control
        self._copies = folder / scratch.CHECKPOINTS
        self._checkpoints: dict[int, Checkpoint] = {}

    @property
    def pids(self) -> frozenset[int]:
        """The processes that wait."""
        return frozenset(checkpoint.pid for checkpoint in list(self._checkpoints.values()))

    def has_room(self) -> bool:
        """Return whether another checkpoint fits into the limits."""
        return len(self._checkpoints) < MAX_CHECKPOINTS and can_copy(self._files)

    def add(self, number: int) -> bool:
        """Accept the checkpoint that was just forked, and copy the files; return whether both worked."""
        accepted = self._control.accept("checkpoint", number)
        if accepted is None:
            return False
        connection, pid = accepted
        self._checkpoints[number] = Checkpoint(connection, pid, self._copies / str(number))
        try:
            copy_files(self._files, self._checkpoints[number].files)
        except OSError:
            self._drop(number)
            return False
        return True

    def resume(self, number: int) -> tuple[socket.socket, int] | None:
        """Restore the files of a checkpoint, and let a process resume from it. Later checkpoints are dropped.

        Returns:
            The connection to the process, and its id; None if there is no such checkpoint, or it does not answer in
            time.
        """
        for later in [n for n in self._checkpoints if n > number]:
            self._drop(later)
        if number not in self._checkpoints:
            return None
        try:
            restore_files(self._checkpoints[number].files, self._files)
            self._checkpoints[number].connection.sendall(b"!")
        except OSError:
            return None
        return self._control.accept("resumed", number)

    def close(self) -> None:
        """Drop all checkpoints."""
        for number in list(self._checkpoints):
            self._drop(number)
        shutil.rmtree(self._copies, ignore_errors=True)

    def _drop(self, number: int) -> None:
        checkpoint = self._checkpoints.pop(number)
        checkpoint.connection.close()
        shutil.rmtree(checkpoint.files, ignore_errors=True)


def can_copy(folder: Path) -> bool:
    """Return whether there is memory for another process like that of a session, and its files are not too large."""
    if psutil.virtual_memory().available <= MIN_FREE_MEMORY:
        return False
    try:
        return size_of_files(folder) < MAX_FILES_SIZE
    except OSError:
        return False
