"""What the processes of a session have noted, and replacements for functions of `os` that note what they are asked.

Each thing is noted once, collected in the kernel, and sent to it by the other processes.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator, KeysView
from typing import Any

from codeout.kernel import scratch
from codeout.kernel.file_states import original_stat

State = None | str | list[int]
"""Of something that was read: the status of a regular file, or a word; None if it did not exist."""


class ObservationLog:
    """What this process has noted, and in the kernel also what the others have."""

    def __init__(self, folder: str) -> None:
        """Take the scratch folder of the session."""
        self._observations: list[list[Any]] = []
        self._identities: set[tuple[str, str]] = set()
        self._path = os.path.join(folder, scratch.INPUTS)  # one JSON array per line
        self._position = 0  # in the file: what is before it has been taken
        self._descriptor: int | None = None  # of the file; None in the kernel itself

    def become_child(self) -> None:
        """Go on in a process that the kernel or another child has forked, or that a block has started."""
        self._close()
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

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
                    with contextlib.suppress(ValueError):  # a block has written to the file
                        kind, name, state = json.loads(line)
                        self.add(str(kind), str(name), state)
        observations, self._observations = self._observations, []
        return observations

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None


def observe_stat(note: Callable[[Any], None]) -> None:
    """Have `os.stat`, and what is made of it, such as `os.path.exists`, note what it is asked for."""

    @functools.wraps(original_stat)
    def observed_stat(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        note(path)
        return original_stat(path, *arguments, **options)

    for capabilities in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if original_stat in capabilities:
            capabilities.add(observed_stat)
    os.stat = observed_stat


def observe_environment(note: Callable[[str], None]) -> None:
    """Have `os.environ` note which variables are read, one at a time; a copy of all is no use of one."""

    class ObservedEnvironment(type(os.environ)):  # type: ignore[misc]
        _copied_names: Iterator[str] = iter(())  # what a copy, which begins with `keys`, reads next

        def keys(self) -> KeysView[str]:
            self._copied_names = iter([*self])
            return super().keys()  # type: ignore[no-any-return]

        def __getitem__(self, name: str) -> str:
            if next(self._copied_names, None) != name:
                self._copied_names = iter(())
                note(name)
            return str(super().__getitem__(name))

    os.environ.__class__ = ObservedEnvironment


def hide_folder(folder: str) -> None:
    """Leave a folder, an absolute path, out of listings: the build cache is no part of the project, and changes."""
    parent, hidden_name = os.path.split(folder)
    list_names, scan = os.listdir, os.scandir

    def is_parent(path: Any) -> bool:
        return not isinstance(path, int) and os.path.abspath(os.fsdecode(path)) == parent  # as text

    def listdir(path: Any = ".") -> Any:
        names = list_names(path)
        return [name for name in names if os.fsdecode(name) != hidden_name] if is_parent(path) else names

    def scandir(path: Any = ".") -> Any:
        return _Entries(scan(path), hidden_name) if is_parent(path) else scan(path)

    os.listdir, os.scandir = listdir, scandir


class _Entries:
    """What `os.scandir` returns, without one name."""

    def __init__(self, entries: Any, hidden_name: str) -> None:
        self._entries, self._hidden_name = entries, hidden_name

    def __enter__(self) -> _Entries:
        return self

    __iter__ = __enter__

    def __next__(self) -> Any:
        entry = next(self._entries)
        return entry if os.fsdecode(entry.name) != self._hidden_name else next(self._entries)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the folder."""
        self._entries.close()
