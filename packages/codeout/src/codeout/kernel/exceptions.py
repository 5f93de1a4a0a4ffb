"""Describe the exception that ended a block."""

from __future__ import annotations

import os
import sysconfig
import traceback
from pathlib import Path
from typing import Any

from codeout.kernel.limits import MAX_MESSAGE, cut

_KERNEL = str(Path(__file__).parent) + os.sep


def describe_exception(exception: BaseException, file: str) -> dict[str, Any]:
    """Return the fields of an exception's event. Its traceback has no frames of the kernel.

    Args:
        exception: what the block raised.
        file: the file that the block comes from; the event names the innermost line of it.
    """
    summary = traceback.TracebackException.from_exception(exception, compact=True)
    frames = [frame for frame in summary.stack if not frame.filename.startswith(_KERNEL)]
    summary.stack[:] = frames
    line = next((frame.lineno for frame in reversed(frames) if frame.filename == file), None)
    if isinstance(exception, SyntaxError) and exception.filename == file:
        line = exception.lineno or line
    return {
        "type": type(exception).__name__,
        "bases": [base.__name__ for base in type(exception).__mro__[1:]],
        "message": cut(_message(exception), MAX_MESSAGE, 0),
        "traceback": cut(_shorten_paths("".join(summary.format())), MAX_MESSAGE, MAX_MESSAGE),
        "line": line,
    }


def _message(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception as problem:
        return f"(its __str__ raised {type(problem).__name__})"


def _shorten_paths(text: str) -> str:
    """Return a traceback whose paths do not depend on where Python is installed."""
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("stdlib")}:
        text = text.replace(folder + os.sep, "")
    return text
