"""The checkpoints of a session, on the build's side: waiting processes, each with a copy of the session's files."""

from __future__ import annotations

import contextlib
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from codeout.kernel import scratch
from codeout.run.protocol import Hello, decode_hello

MAX_WAIT = 5.0  # seconds in which a process must answer; it is given up otherwise
MAX_CHECKPOINTS = 32  # of a session
MIN_FREE_MEMORY = 1_000_000_000  # bytes that must be available for another checkpoint
MAX_FILES_SIZE = 200_000_000  # bytes of files that are copied for a checkpoint
MAX_HELLO_SIZE = 1_000  # bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A process that waits after some block, and the files as they were then."""

    connection: socket.socket
    """A byte makes the process resume; closing the connection ends it."""
    pid: int
    files: Path
    """A copy of the scratch folder."""


class Checkpoints:
    """The checkpoints of one session, by the number of blocks that had run."""

    def __init__(self, folder: Path) -> None:
        """Listen for checkpoints in the scratch folder of the session."""
        self._folder = folder
        self._copies = folder / scratch.CHECKPOINTS
        self._checkpoints: dict[int, Checkpoint] = {}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(folder / scratch.CONTROL))
        self._listener.listen()
        self.resumed_pid: int | None = None
        """The process that resumed from a checkpoint last, and runs the blocks now."""

    @property
    def pids(self) -> frozenset[int]:
        """The processes that wait."""
        return frozenset(checkpoint.pid for checkpoint in list(self._checkpoints.values()))

    def has_room(self) -> bool:
        """Return whether another checkpoint fits into the limits."""
        if len(self._checkpoints) >= MAX_CHECKPOINTS or psutil.virtual_memory().available <= MIN_FREE_MEMORY:
            return False
        try:
            return self._files_size() < MAX_FILES_SIZE
        except OSError:  # a process that a block has left running may remove files meanwhile
            return False

    def add(self, number: int) -> bool:
        """Accept the checkpoint that was just forked, and copy the files; return whether both worked."""
        accepted = self._accept(number, resumed=False)
        if accepted is None:
            return False
        connection, pid = accepted
        self._checkpoints[number] = Checkpoint(connection, pid, self._copies / str(number))
        try:
            shutil.copytree(self._folder, self._checkpoints[number].files, symlinks=True, ignore=self._own_names)
        except OSError:  # a block may have created a pipe, or files that vanish meanwhile
            self._drop(number)
            return False
        return True

    def resume(self, number: int) -> socket.socket | None:
        """Restore the files of a checkpoint, and let a process resume from it. Later checkpoints are dropped.

        Returns:
            The connection to the process; None if there is no such checkpoint, or it does not answer in time.
        """
        for later in [n for n in self._checkpoints if n > number]:
            self._drop(later)
        if number not in self._checkpoints:
            return None
        try:
            self._restore(self._checkpoints[number].files)
            self._checkpoints[number].connection.sendall(b"!")
        except OSError:
            return None
        accepted = self._accept(number, resumed=True)
        if accepted is None:
            return None
        connection, self.resumed_pid = accepted
        return connection

    def close(self) -> None:
        """Drop all checkpoints."""
        for number in list(self._checkpoints):
            self._drop(number)
        self._listener.close()
        shutil.rmtree(self._copies, ignore_errors=True)

    def _drop(self, number: int) -> None:
        checkpoint = self._checkpoints.pop(number)
        checkpoint.connection.close()
        shutil.rmtree(checkpoint.files, ignore_errors=True)

    def _accept(self, number: int, *, resumed: bool) -> tuple[socket.socket, int] | None:
        """Return the connection of a process and its id; None if it does not connect in time.

        Others that connect are turned away: a checkpoint that comes too late, or a block that found the socket.
        """
        deadline = time.monotonic() + MAX_WAIT
        with contextlib.suppress(OSError):
            while (left := deadline - time.monotonic()) > 0:
                self._listener.settimeout(left)
                connection, _ = self._listener.accept()
                hello = _read_hello(connection)
                if hello and (hello.number, hello.resumed) == (number, resumed):
                    return connection, hello.pid
                connection.close()
        return None

    def _own_names(self, folder: str, names: list[str]) -> list[str]:
        """Return the names in a folder that are not the block's: hidden ones, directly in the scratch folder."""
        return [name for name in names if name.startswith(".")] if Path(folder) == self._folder else []

    def _restore(self, files: Path) -> None:
        """Restore the contents of the scratch folder; the folder itself stays, since processes work in it."""
        for path in self._folder.iterdir():
            if path.name.startswith("."):
                continue
            if path.is_symlink() or not path.is_dir():
                path.unlink()
            else:
                shutil.rmtree(path)
        shutil.copytree(files, self._folder, symlinks=True, dirs_exist_ok=True)

    def _files_size(self) -> int:
        entries = [path for path in self._folder.iterdir() if not path.name.startswith(".") and not path.is_symlink()]
        files = [path for entry in entries for path in (entry.rglob("*") if entry.is_dir() else (entry,))]
        return sum(path.lstat().st_size for path in files)


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
