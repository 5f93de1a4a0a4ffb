"""Leave the build cache out of listings: it is no part of the project, and changes with each build."""

from __future__ import annotations

import os
from typing import Any


def hide_folder(folder: str) -> None:
    """Leave a folder, an absolute path, out of listings: the build cache is no part of the project, and changes."""
    parent, hidden_name = os.path.split(folder)
    list_names, scan = os.listdir, os.scandir

    def is_parent(path: Any) -> bool:
        name = "" if isinstance(path, int) else os.fsdecode(path or os.curdir)
        return name != "" and os.path.abspath(name) == parent  # noqa: PTH100  # as text

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
