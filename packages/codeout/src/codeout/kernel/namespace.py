"""The namespace that the blocks of a session share."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from codeout.kernel.exceptions import describe_exception
from codeout.kernel.execution import Executor, remember_source

if TYPE_CHECKING:
    from codeout.kernel.display import Display
    from codeout.kernel.events import EventLog

Scalar = bool | int | float | str

MAX_TEXT_VALUE = 200  # characters of a text that the prose of a page may quote
MAX_BITS = 64  # of such an integer
BLOCK_FILE = "__codeout_file__"  # the name in `__main__` of the file that the block comes from
MAGIC = re.compile(r"^\s*[%!]|\?\s*$|=\s*[%!]|get_ipython", re.MULTILINE)
"""What may be IPython's own syntax; loading IPython takes a while, so only then."""


class MainModule(ModuleType):
    """The module `__main__`: without `__file__`, like that of a notebook, but for `inspect` when it reads a class."""

    def __getattr__(self, name: str) -> str:
        if name == "__file__":
            caller = sys._getframe(1)  # noqa: SLF001  # it has no other name
            if caller.f_code.co_name == "getfile" and isinstance(cls := caller.f_locals.get("object"), type):
                codes = (getattr(member, "__code__", None) for member in vars(cls).values())
                return str(next((code.co_filename for code in codes if code), vars(self).get(BLOCK_FILE, "")))
        raise AttributeError(f"module '__main__' has no attribute {name!r}")


class Namespace:
    """The module `__main__` of the blocks."""

    def __init__(self, display: Display, log: EventLog) -> None:
        """Replace `__main__` with an empty module."""
        self._display, self._log = display, log
        self._module = MainModule("__main__")
        sys.modules["__main__"] = self._module
        self._executor = Executor(vars(self._module))
        self._values: dict[str, Scalar] = {}

    def run(
        self, code: str, file: str, line: int, checks: str = "", checks_line: int = 0, *, has_magics: bool = False
    ) -> None:
        """Run a block; send its outputs and, if it raises one, its exception to the log.

        Args:
            code: the block's code.
            file: the file that the code comes from, as tracebacks name it.
            line: the line of that file on which the code begins, counted from 1.
            checks: code that runs after it.
            checks_line: the line on which that begins.
            has_magics: whether IPython's magics work.
        """
        vars(self._module)[BLOCK_FILE] = file
        if has_magics and MAGIC.search(code):
            code = self._display.expand_magics(code, self._module)
        padded_code = "\n" * (line - 1) + code
        padded_checks = "\n" * (checks_line - 1) + checks
        remember_source(file, _overlay(padded_code, padded_checks) if checks else padded_code, line)
        try:
            try:
                value = self._executor.execute(padded_code, file)
                if value is not None:
                    self._display.show_value(value)
            finally:
                self._display.show_figures()
            if checks:
                self._log.send("checks")
                self._executor.execute(padded_checks, file)
        except BaseException as exception:  # the outermost frame of the author's code: whatever it raises is reported
            self._log.send("error", **describe_exception(exception, file))

    def changed_values(self) -> dict[str, Scalar]:
        """Return the public names that are bound to another number or short text than at the last call."""
        old, names = self._values, vars(self._module)
        self._values = {name: names[name] for name in names if not name.startswith("_") and _is_scalar(names[name])}
        return {name: value for name, value in self._values.items() if name not in old or old[name] is not value}


def _overlay(code: str, checks: str) -> str:
    """Return code with the checks below it, each on its own lines."""
    code_lines, check_lines = code.split("\n"), checks.split("\n")
    return "\n".join([*code_lines, *check_lines[len(code_lines) :]])


def _is_scalar(value: object) -> bool:
    """Return whether a value is a number or a text that prose may quote."""
    if type(value) is str:
        return len(value) <= MAX_TEXT_VALUE
    # `isinstance` would ask the value for its `__class__`, which loads a lazy module
    return issubclass(type(value), bool | float) or (type(value) is int and value.bit_length() <= MAX_BITS)
