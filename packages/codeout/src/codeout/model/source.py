"""Compare Python source code."""

from __future__ import annotations

import ast


def is_same_program(one: str, other: str) -> bool:
    """Return whether two pieces of code have the same syntax tree; False if either is not valid Python."""
    try:
        return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except (SyntaxError, ValueError):
        return False
