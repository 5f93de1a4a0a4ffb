"""The namespace that the blocks of a session share, and executing code in it."""

from __future__ import annotations
import __future__

import ast
import io
import linecache
import math
import random
import re
import sys
import tokenize
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from operator import or_
from types import ModuleType
from typing import TYPE_CHECKING, Any

from codeout.kernel.exceptions import describe_exception
from codeout.kernel.forks import run_in_copy

if TYPE_CHECKING:
    import asyncio

    from codeout.kernel.display import Display
    from codeout.kernel.events import EventLog
    from codeout.kernel.sharing import SharedState

Scalar = bool | int | float | str

MAX_TEXT_VALUE = 200  # characters of a text that the prose of a page may quote
MAX_BITS = 64  # of such an integer
BLOCK_FILE = "__codeout_file__"  # the name in `__main__` of the file that the block comes from
MAGIC = re.compile(r"^\s*[%!]|\?\s*$|=\s*[%!]|get_ipython", re.MULTILINE)
"""What may be IPython's own syntax; loading IPython takes a while, so only then."""
_IGNORED_TOKENS = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.DEDENT)
_FUTURE = reduce(or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names))
_COROUTINE = 0x80  # `inspect.CO_COROUTINE`: the code awaits something


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

    def __init__(self, display: Display, log: EventLog, shared: SharedState) -> None:
        self._display, self._log, self._shared = display, log, shared
        self._checked_values: Mapping[str, Any] = {}
        self.checks_obstacle = ""
        """Why the last checks ran in this process, and not in a copy of it."""
        self._module = sys.modules["__main__"] = MainModule("__main__")
        self._executor = Executor(vars(self._module))
        self._values: dict[str, Scalar] = {}

    def run(self, code: str, file: str, line: int, checks: str, checks_line: int, *, has_magics: bool) -> None:
        """Run a block and then its checks; send its outputs and, if it raises one, its exception to the log.

        Tracebacks name the file; code and checks begin on lines of it, counted from 1.
        """
        vars(self._module)[BLOCK_FILE] = file
        self.checks_obstacle, self._checked_values = "", {}
        if has_magics and MAGIC.search(code):
            code = self._display.expand_magics(code, self._module)
        padded_code = "\n" * (line - 1) + code
        padded_checks = "\n" * (checks_line - 1) + checks
        source = padded_code.split("\n")
        if checks:  # each on its own lines, below the code
            source += padded_checks.split("\n")[len(source) :]
        _remember_source(file, "\n".join(source), line)
        try:
            try:
                value = self._executor.execute(padded_code, file)
                if value is not None:
                    self._display.show_value(value)
            finally:
                self._display.show_figures()
        except BaseException as exception:  # the outermost frame of the author's code: whatever it raises is reported
            self._log.send("error", **describe_exception(exception, file))
        else:
            if checks:
                self._run_checks(padded_checks, file)

    def _run_checks(self, code: str, file: str) -> None:
        """Run checks in a copy of the process; where there can be none, keep at least the state of random numbers."""
        self._log.send("checks")
        self.checks_obstacle = self._shared.describe()
        if self.checks_obstacle:
            with _kept_random_state():
                self._check(code, file)
        else:

            def check() -> Mapping[str, Any]:
                self.changed_values()
                self._check(code, file)
                return self.changed_values()

            self._checked_values = run_in_copy(self._log, self._shared.open_files(), check)

    def _check(self, code: str, file: str) -> None:
        try:
            self._executor.execute(code, file)
        except BaseException as exception:
            self._log.send("error", **describe_exception(exception, file))

    def changed_values(self) -> dict[str, Scalar | dict[str, str]]:
        """Return the public names that are bound to another number or short text than at the last call, for JSON.

        What checks have computed in a copy is among them: prose may quote it, though no block below can use it.
        """
        old, names = self._values, vars(self._module)
        self._values = {name: names[name] for name in names if not name.startswith("_") and _is_scalar(names[name])}
        changed = {name: value for name, value in self._values.items() if name not in old or old[name] is not value}
        return {name: _to_json(value) for name, value in changed.items()} | {**self._checked_values}


def _to_json(value: Scalar) -> Scalar | dict[str, str]:
    """Return a value as JSON can hold it: NaN and the infinities become objects."""
    is_json = not isinstance(value, float) or math.isfinite(value)
    return value if is_json else {"number": str(float(value))}


def _is_scalar(value: object) -> bool:
    """Return whether a value is a number or a text that prose may quote."""
    if type(value) is str:
        return len(value) <= MAX_TEXT_VALUE
    # `isinstance` would ask the value for its `__class__`, which loads a lazy module
    return issubclass(type(value), bool | float) or (type(value) is int and value.bit_length() <= MAX_BITS)


class Executor:
    """Executes code in a namespace, as a notebook does: `from __future__` carries on, and `await` works anywhere."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._features = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def execute(self, code: str, file: str) -> object:
        """Execute code; return the value of its last expression, None if it ends in a statement or a semicolon."""
        # `dont_inherit`: the `__future__` imports of this file are not the author's
        flags = self._features | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        tree: ast.Module = compile(code, file, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr) and not _ends_with_semicolon(code):
            tree.body.pop()
        else:
            last = None
        body = compile(tree, file, "exec", flags, dont_inherit=True)
        self._features |= body.co_flags & _FUTURE
        self._evaluate(body)
        if last is None:
            return None
        flags = self._features | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        return self._evaluate(compile(ast.Expression(last.value), file, "eval", flags, dont_inherit=True))

    def _evaluate(self, code: Any) -> object:
        result: Any = eval(code, self._namespace)
        if not code.co_flags & _COROUTINE:
            return result
        import asyncio  # here: few blocks need it

        self._loop = self._loop or asyncio.new_event_loop()  # one for the session: what belongs to it may be used later
        return self._loop.run_until_complete(result)


def _ends_with_semicolon(code: str) -> bool:
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(code).readline) if t.type not in _IGNORED_TOKENS]
    return bool(tokens) and tokens[-1].string == ";"


def _remember_source(file: str, padded_code: str, line: int) -> None:
    """Let tracebacks and `inspect` find the lines of a block, and those of earlier blocks of the same file.

    The code is preceded by as many empty lines as the file has lines above it; `line` counts from 1.
    """
    entry = linecache.cache.get(file)
    known_lines = entry[2] if entry and len(entry) == 4 else []
    # Without the end of the last line, carets below it would be one off.
    lines = [text + "\n" for text in padded_code.splitlines()]
    lines_above, lines_below = known_lines[: line - 1], known_lines[len(lines) :]
    linecache.cache[file] = (len(padded_code), None, lines_above + lines[len(lines_above) :] + lines_below, file)


@contextmanager
def _kept_random_state() -> Iterator[None]:
    """Leave the generators of random numbers as they were, so that code which is not shown changes nothing shown.

    That is those of `random`, NumPy and PyTorch which need no object; an author's own generator is not known.
    """
    states = [(restore, read()) for read, restore in _random_generators()]
    try:
        yield
    finally:
        for restore, state in states:
            restore(state)


def _random_generators() -> Iterator[tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """Yield what reads and what restores the state of each generator that is loaded."""
    yield random.getstate, random.setstate
    if numpy := sys.modules.get("numpy.random"):
        yield numpy.get_state, numpy.set_state
    torch: Any = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_rng_state"):
        yield torch.get_rng_state, torch.set_rng_state
        if torch.cuda.is_initialized():
            yield torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all
