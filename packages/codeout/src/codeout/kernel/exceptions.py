"""Describe the exception that ended a block."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
import traceback
import warnings
from pathlib import Path
from typing import Any

from codeout.kernel.events import MAX_MESSAGE, cut

ROOT = "CODEOUT_ROOT"
"""The variable that names the folder of the site."""
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
