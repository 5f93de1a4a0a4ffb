"""Compile and execute the code of a block."""

from __future__ import annotations

import ast
import io
import linecache
import tokenize
from typing import Any

_IGNORED_TOKENS = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.DEDENT)


def execute(code: str, file: str, namespace: dict[str, Any]) -> object:
    """Execute code; return the value of its last expression, None if it ends in a statement or a semicolon."""
    tree = ast.parse(code, file)
    last = tree.body[-1] if tree.body else None
    has_value = isinstance(last, ast.Expr) and not _ends_with_semicolon(code)
    if has_value:
        tree.body.pop()
    # `dont_inherit`: the `__future__` imports of this file are not the author's
    exec(compile(tree, file, "exec", dont_inherit=True), namespace)
    if not has_value or not isinstance(last, ast.Expr):
        return None
    value: object = eval(compile(ast.Expression(last.value), file, "eval", dont_inherit=True), namespace)
    return value


def _ends_with_semicolon(code: str) -> bool:
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(code).readline) if t.type not in _IGNORED_TOKENS]
    return bool(tokens) and tokens[-1].string == ";"


def remember_source(file: str, padded: str, line: int) -> None:
    """Let tracebacks and `inspect` find the lines of a block, and those of earlier blocks of the same file.

    Args:
        file: the file that the block comes from.
        padded: the block's code, preceded by as many empty lines as the file has lines above it.
        line: the line of the file on which the code begins, counted from 1.
    """
    entry = linecache.cache.get(file)
    known_lines = entry[2] if entry and len(entry) == 4 else []
    lines = padded.splitlines(keepends=True)
    above, below = known_lines[: line - 1], known_lines[len(lines) :]
    linecache.cache[file] = (len(padded), None, above + lines[len(above) :] + below, file)
