"""The checkpoints of a session, on the build's side: waiting processes, each with a copy of the session's files."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import msgspec
import psutil

from codeout.kernel import scratch
from codeout.run.connection import RESUMED, Fork, accept_fork

MAX_CHECKPOINTS = 32
"""Of a session."""
MIN_FREE_MEMORY = 1_000_000_000
"""Bytes that must be available for another process like that of a session."""
MAX_FILES_SIZE = 200_000_000
"""Bytes of files that are copied for a checkpoint, or for a case of a sweep."""


class Checkpoint(msgspec.Struct, frozen=True):
    """A process that waits after some block, and the files as they were then."""

    fork: Fork
    files: Path
    """A copy of the working folder."""


class Checkpoints:
    """The checkpoints of one session, by the number of blocks that had run."""

    def __init__(self, folder: Path) -> None:
        """Take the scratch folder of the session."""
        self._files, self._copies = folder / scratch.FILES, folder / scratch.CHECKPOINTS
        self._checkpoints: dict[int, Checkpoint] = {}

    @property
    def pids(self) -> frozenset[int]:
        """The processes that wait."""
        return frozenset(checkpoint.fork.pid for checkpoint in list(self._checkpoints.values()))

    @property
    def numbers(self) -> list[int]:
        """After how many blocks there is a checkpoint."""
        return sorted(self._checkpoints)

    def has_room(self) -> bool:
        """Return whether another checkpoint fits into the limits."""
        return len(self._checkpoints) < MAX_CHECKPOINTS and can_copy(self._files)

    def add(self, number: int, control: socket.socket) -> Fork | None:
        """Accept the checkpoint that was just forked, and copy the files; return None if either fails.

        Args:
            number: how many blocks had run.
            control: that of the process which has forked it.
        """
        fork = accept_fork(control, number)
        if fork is None:
            return None
        self._checkpoints[number] = Checkpoint(fork, self._copies / str(number))
        try:
            copy_files(self._files, self._checkpoints[number].files)
        except OSError:
            self._drop(number)
            return None
        return fork

    def resume(self, number: int) -> tuple[Fork, Fork | None]:
        """Restore the files of a checkpoint, and let a process resume from it. Later checkpoints are dropped.

        Returns:
            The process that waits, and the one that resumes; None if it does not answer in time.
        """
        for later in [n for n in self._checkpoints if n > number]:
            self._drop(later)
        checkpoint = self._checkpoints[number]
        try:
            restore_files(checkpoint.files, self._files)
            checkpoint.fork.connection.sendall(b"!")
        except OSError:
            return checkpoint.fork, None
        return checkpoint.fork, accept_fork(checkpoint.fork.control, RESUMED)

    def close(self) -> None:
        """Drop all checkpoints."""
        for number in list(self._checkpoints):
            self._drop(number)
        shutil.rmtree(self._copies, ignore_errors=True)

    def _drop(self, number: int) -> None:
        checkpoint = self._checkpoints.pop(number)
        checkpoint.fork.close()
        shutil.rmtree(checkpoint.files, ignore_errors=True)


def can_copy(folder: Path) -> bool:
    """Return whether there is memory for another process like that of a session, and its files are not too large."""
    if psutil.virtual_memory().available <= MIN_FREE_MEMORY:
        return False
    try:
        return _size_of_files(folder) < MAX_FILES_SIZE
    except OSError:  # a process that a block has left running removes files meanwhile
        return False


def copy_files(folder: Path, target: Path) -> None:
    """Copy the files of blocks; links stay links.

    Raises:
        OSError: a block has created a pipe, or files vanish meanwhile.
    """
    shutil.copytree(folder, target, symlinks=True)


def restore_files(files: Path, folder: Path) -> None:
    """Put a copy back; the folder itself stays, since processes work in it.

    Raises:
        OSError: it cannot be done.
    """
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        else:
            shutil.rmtree(path)
    shutil.copytree(files, folder, symlinks=True, dirs_exist_ok=True)


def _size_of_files(folder: Path) -> int:
    entries = [path for path in folder.iterdir() if not path.is_symlink()]
    files = [path for entry in entries for path in (entry.rglob("*") if entry.is_dir() else (entry,))]
    return sum(path.lstat().st_size for path in files)
