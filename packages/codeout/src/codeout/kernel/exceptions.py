"""Exceptions and warnings as a page shows them, and whether a block looks at line numbers, as what shows them does."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
import traceback
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

from codeout.kernel.events import MAX_MESSAGE, cut

ROOT = "CODEOUT_ROOT"
"""The variable that names the folder of the site."""
PASSED_BY = ("logging/__init__.py", "inspect.py", "traceback.py", "warnings.py")  # they look at frames for a caller
NAME_READERS = ("collections/__init__.py", "typing.py", "enum.py")  # they look for the name of a caller's module
_PLAIN_FORMAT = warnings.formatwarning
_KERNEL = str(Path(__file__).parent) + os.sep


def describe_exception(exception: BaseException, file: str) -> dict[str, Any]:
    """Return the fields of an exception's event: its innermost line in the block's file, a traceback without us."""
    summary = traceback.TracebackException.from_exception(exception, compact=True)
    first = next((number for number, frame in enumerate(summary.stack) if frame.filename == file), 0)
    summary.stack[:] = [frame for frame in summary.stack[first:] if not frame.filename.startswith(_KERNEL)]
    line = next((frame.lineno for frame in reversed(summary.stack) if frame.filename == file), None)
    if isinstance(exception, SyntaxError) and exception.filename == file:
        line = exception.lineno or line
    return {
        "type": type(exception).__name__,
        "bases": [base.__name__ for base in type(exception).__mro__[1:]],
        "message": cut(_message(exception), MAX_MESSAGE, 0),
        "traceback": cut(shorten_paths("".join(summary.format())), MAX_MESSAGE, MAX_MESSAGE),
        "line": line,
    }


def _message(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception as problem:
        return f"(its __str__ raised {type(problem).__name__})"


def format_warning(message: Any, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
    """Return a warning as Python prints it, with a path that does not depend on the machine."""
    line = linecache.getline(filename, lineno) if line is None else line
    return _PLAIN_FORMAT(message, category, shorten_paths(filename), lineno, line)


def shorten_paths(text: str) -> str:
    """Return a text whose paths do not depend on where Python, its packages and the site are."""
    package_folders = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"), *package_folders, os.environ.get(ROOT, "")}
    for folder in sorted(folders - {""}, key=len, reverse=True):
        text = text.replace(folder + os.sep, "")
    return text


class LineNumbers:
    """Whether blocks look at line numbers of blocks, which change when the page does, by audit events (PEP 578)."""

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
