"""Notice when a block looks at the line numbers of blocks, which change when the page does: no system call tells."""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Any

PASSED_BY = ("logging/__init__.py", "inspect.py", "traceback.py", "warnings.py")  # they look at frames for a caller
NAME_READERS = ("collections/__init__.py", "typing.py", "enum.py")  # they look for the name of a caller's module


class LineNumbers:
    """Whether blocks look at line numbers of blocks, by Python's audit events (PEP 578)."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        """The files that blocks come from, as tracebacks name them."""
        self._are_read = self._is_looking = False

    def start(self) -> None:
        """Begin to observe; this lasts until the process ends."""
        handlers = {"sys._getframe": self._on_frame, "object.__getattr__": self._on_attribute}

        # The hook runs for each of the many events of an interpreter, so it looks one name up and returns.
        def hook(event: str, arguments: tuple[Any, ...], find: Any = handlers.get) -> None:
            if handle := find(event):
                handle(*arguments)

        sys.addaudithook(hook)

    def take(self) -> bool:
        """Return whether any was read since the last call."""
        are_read, self._are_read = self._are_read, False
        return are_read

    def _on_frame(self, frame: FrameType | None = None) -> None:
        if self._are_read or self._is_looking or frame is None:
            return
        self._is_looking = True
        try:
            caller = sys._getframe(2)  # noqa: SLF001  # it has no other name
        finally:
            self._is_looking = False
        if caller.f_code.co_filename.replace(os.sep, "/").endswith(NAME_READERS):
            return
        file = frame.f_code.co_filename
        while file.endswith(PASSED_BY) and frame.f_back:
            frame = frame.f_back
            file = frame.f_code.co_filename
        self._are_read = file in self.files

    def _on_attribute(self, _: Any, name: str) -> None:
        if name == "tb_frame":  # what formats a traceback asks for it
            self._are_read = True
