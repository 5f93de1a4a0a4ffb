"""Python source code as text."""

from __future__ import annotations

import ast


def same_program(one: str, other: str) -> bool:
    """Return whether two codes do the same; not if one of them is no Python."""
    try:
        return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except (SyntaxError, ValueError):
        return False
