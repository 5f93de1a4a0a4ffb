"""Compile and execute the code of a block."""

from __future__ import annotations
import __future__

import ast
import io
import linecache
import tokenize
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

_IGNORED_TOKENS = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.DEDENT)
_FUTURE = reduce(or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names))
_COROUTINE = 0x80  # `inspect.CO_COROUTINE`: the code awaits something


class Executor:
    """Executes code in a namespace, as a notebook does: `from __future__` carries on, and `await` works anywhere."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        """Take the namespace."""
        self._namespace = namespace
        self._features = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def execute(self, code: str, file: str) -> object:
        """Execute code; return the value of its last expression, None if it ends in a statement or a semicolon."""
        # `dont_inherit`: the `__future__` imports of this file are not the author's
        flags = self._features | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        tree: ast.Module = compile(code, file, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
        last = tree.body[-1] if tree.body else None
        has_value = isinstance(last, ast.Expr) and not _ends_with_semicolon(code)
        if has_value:
            tree.body.pop()
        body = compile(tree, file, "exec", flags, dont_inherit=True)
        self._features |= body.co_flags & _FUTURE
        self._evaluate(body)
        if not has_value or not isinstance(last, ast.Expr):
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


def remember_source(file: str, padded_code: str, line: int) -> None:
    """Let tracebacks and `inspect` find the lines of a block, and those of earlier blocks of the same file.

    Args:
        file: the file that the block comes from.
        padded_code: the block's code, preceded by as many empty lines as the file has lines above it.
        line: the line of the file on which the code begins, counted from 1.
    """
    entry = linecache.cache.get(file)
    known_lines = entry[2] if entry and len(entry) == 4 else []
    # Without the end of the last line, carets below it would be one off.
    lines = [text + "\n" for text in padded_code.splitlines()]
    lines_above, lines_below = known_lines[: line - 1], known_lines[len(lines) :]
    linecache.cache[file] = (len(padded_code), None, lines_above + lines[len(lines_above) :] + lines_below, file)
