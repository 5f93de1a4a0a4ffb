"""Replacements for functions of `os`: those that raise no audit event, and those that list folders."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, KeysView
from typing import Any

from codeout.kernel.file_states import original_stat


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
    """Leave a folder out of listings: the build cache is no part of the project, and changes with each run.

    Args:
        folder: its absolute path.
    """
    parent, hidden_name = os.path.split(folder)
    list_names, scan = os.listdir, os.scandir

    def is_parent(path: Any) -> bool:
        return not isinstance(path, int) and os.path.abspath(os.fsdecode(path)) == parent  # noqa: PTH100  # as text

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

    def __iter__(self) -> _Entries:
        return self

    def __next__(self) -> Any:
        entry = next(self._entries)
        return entry if os.fsdecode(entry.name) != self._hidden_name else next(self._entries)

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the folder."""
        self._entries.close()
