"""Replacements for what raises no audit event: `os.stat` and the reading of `os.environ`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, KeysView
from typing import Any

from codeout.kernel.file_states import original_stat


def observe_stat(note: Callable[[Any], None]) -> None:
    """Have `os.stat`, and what is made of it, such as `os.path.exists`, note what it is asked for."""

    @functools.wraps(original_stat)
    def observed(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        note(path)
        return original_stat(path, *arguments, **options)

    for capabilities in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if original_stat in capabilities:
            capabilities.add(observed)
    os.stat = observed


def observe_environment(note: Callable[[str], None]) -> None:
    """Have `os.environ` note which variables are read, one at a time; a copy of all is no use of one."""

    class ObservedEnvironment(type(os.environ)):  # type: ignore[misc]
        _copied: Iterator[str] = iter(())  # what a copy, which begins with `keys`, reads next

        def keys(self) -> KeysView[str]:
            self._copied = iter([*self])
            return super().keys()  # type: ignore[no-any-return]

        def __getitem__(self, name: str) -> str:
            if next(self._copied, None) != name:
                self._copied = iter(())
                note(name)
            return str(super().__getitem__(name))

    os.environ.__class__ = ObservedEnvironment
