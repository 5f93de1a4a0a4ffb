"""The parent's side of resuming: the sleeping copies of a session's process, and of the files that it had written."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from codeout.kernel.checkpoints import CONTROL

PATIENCE = 5.0  # seconds in which a copy must answer; it is given up else
MOST = 32  # copies of a session
SPARE = 1_000_000_000  # bytes of memory that must be free for another copy
FILES = 200_000_000  # bytes of files that a session may have written, to be copied


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A process that sleeps after some block, and the files as they were then."""

    connection: socket.socket
    pid: int
    files: Path


class Checkpoints:
    """The copies of one session, by the number of blocks that had run."""

    def __init__(self, folder: Path) -> None:
        """Listen in the scratch folder of the session."""
        self._folder = folder
        self._kept = folder / ".copies"  # hidden files of the scratch folder are ours, and go with it
        self._copies: dict[int, Checkpoint] = {}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(folder / CONTROL))
        self._listener.listen()
        self._listener.settimeout(PATIENCE)
        self.awake: int | None = None  # the process that goes on from a copy

    @property
    def sleeping(self) -> frozenset[int]:
        """The processes that are kept as they were."""
        return frozenset(copy.pid for copy in list(self._copies.values()))

    def room(self) -> bool:
        """Return whether another copy may be kept."""
        return len(self._copies) < MOST and psutil.virtual_memory().available > SPARE and self._size() < FILES

    def add(self, number: int) -> bool:
        """Take in the copy that has just been made; return whether it answered in time."""
        answer = self._accept()
        if answer is None:
            return False
        connection, pid = answer
        files = self._kept / str(number)
        shutil.copytree(self._folder, files, symlinks=True, ignore=shutil.ignore_patterns(".*"))
        self._copies[number] = Checkpoint(connection, pid, files)
        return True

    def wake(self, number: int) -> socket.socket | None:
        """Have a copy go on, among the files that there were; return the way to it, None if it does not answer.

        Checkpoints of what ran after it are given up.
        """
        for later in [n for n in self._copies if n > number]:
            self._drop(later)
        if number not in self._copies:
            return None
        self._restore(self._copies[number].files)
        with contextlib.suppress(OSError):
            self._copies[number].connection.sendall(b"!")
        answer = self._accept()
        if answer is None:
            return None
        connection, self.awake = answer
        return connection

    def close(self) -> None:
        """Give up all copies."""
        for number in list(self._copies):
            self._drop(number)
        self._listener.close()
        shutil.rmtree(self._kept, ignore_errors=True)

    def _drop(self, number: int) -> None:
        copy = self._copies.pop(number)
        copy.connection.close()  # it ends then
        shutil.rmtree(copy.files, ignore_errors=True)

    def _accept(self) -> tuple[socket.socket, int] | None:
        try:
            connection, _ = self._listener.accept()
            with connection.makefile("rb") as hello:
                return connection, int(json.loads(hello.readline())["pid"])
        except (OSError, ValueError):
            return None

    def _restore(self, files: Path) -> None:
        """Put the scratch folder back as it was; the folder itself stays, since processes stand in it."""
        for path in self._folder.iterdir():
            if path.is_symlink() or not path.is_dir():
                if not path.name.startswith("."):
                    path.unlink()
            elif not path.name.startswith("."):
                shutil.rmtree(path)
        shutil.copytree(files, self._folder, symlinks=True, dirs_exist_ok=True)

    def _size(self) -> int:
        own = [path for path in self._folder.iterdir() if not path.name.startswith(".") and not path.is_symlink()]
        files = [path for entry in own for path in (entry.rglob("*") if entry.is_dir() else (entry,))]
        return sum(path.lstat().st_size for path in files)
