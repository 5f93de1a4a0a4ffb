"""Remove the lines that a page hides from code that is to run elsewhere, except those that the rest needs."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cache

HIDE_MARKER = "# markdown-exec: hide"


def visible_code(codes: Sequence[str], hidden_blocks: Collection[int] = ()) -> list[str]:
    """Return the code of blocks that run one after the other, without hidden lines.

    A hidden statement stays if it alone binds a name that the remaining code uses. All lines of a block stay if what
    remains of it is not valid Python.

    Args:
        codes: the code of each block, in order.
        hidden_blocks: positions, from 0, of the blocks that are hidden whole.
    """
    return [*_visible_code(tuple(codes), frozenset(hidden_blocks))]


@cache  # a notebook, its script and the modules of both are made from the same blocks
def _visible_code(codes: tuple[str, ...], hidden_blocks: frozenset[int]) -> tuple[str, ...]:
    statements = [
        statement
        for number, code in enumerate(codes)
        for statement in _statements(number, code, is_hidden=number in hidden_blocks)
    ]
    needed = _needed_lines(statements)
    return tuple(
        _without_hidden_lines(code, needed.get(number, set()), is_hidden=number in hidden_blocks)
        for number, code in enumerate(codes)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Statement:
    """A top-level statement of a block."""

    block: int
    """Position of its block, from 0."""

    lines: range
    """Its lines in the block, from 1."""

    is_hidden: bool
    """Whether the page hides all of these lines."""

    binds: Set[str]
    """Names that it assigns, imports or defines."""

    uses: Set[str]
    """Names that it reads."""

    def is_before(self, other: _Statement) -> bool:
        """Return whether it runs before another statement."""
        return (self.block, self.lines[0]) < (other.block, other.lines[0])


def _statements(block: int, code: str, *, is_hidden: bool) -> Iterator[_Statement]:
    lines = code.split("\n")
    for node in _parse(code):
        span = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        all_hidden = is_hidden or all(_is_marked(lines[number - 1]) for number in span)
        yield _Statement(block, span, all_hidden, _bound_names(node), _used_names(node))


def _used_names(node: ast.stmt) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}


def _bound_names(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds; the targets of a comprehension are its own."""
    nodes = list(ast.walk(node))
    local = {name for each in nodes if isinstance(each, ast.comprehension) for name in ast.walk(each.target)}
    names = {
        each.id
        for each in nodes
        if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load) and each not in local
    }
    for each in nodes:
        if isinstance(each, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in each.names}
        elif isinstance(each, ast.FunctionDef | ast.ClassDef):
            names.add(each.name)
    return names


def _needed_lines(statements: Sequence[_Statement]) -> dict[int, set[int]]:
    """Return the lines of the hidden statements that have to stay, by the position of their block."""
    visible = [statement for statement in statements if not statement.is_hidden]
    needed: list[_Statement] = []
    waiting = list(visible)
    while waiting:
        user = waiting.pop()
        for statement in statements:
            if statement.is_hidden and statement not in needed and _is_needed(statement, user, visible):
                needed.append(statement)
                waiting.append(statement)
    lines: dict[int, set[int]] = {}
    for statement in needed:
        lines.setdefault(statement.block, set()).update(statement.lines)
    return lines


def _is_needed(statement: _Statement, user: _Statement, visible: Sequence[_Statement]) -> bool:
    """Return whether a statement binds a name for `user` that no visible statement above it binds."""
    names = statement.binds & user.uses
    return (
        bool(names)
        and statement.is_before(user)
        and not any(other.binds & names and other.is_before(user) for other in visible)
    )


def _without_hidden_lines(code: str, needed: Set[int], *, is_hidden: bool) -> str:
    lines = code.split("\n")
    hides_all = is_hidden and _is_python(code)
    remaining = [
        _without_marker(line)
        for number, line in enumerate(lines, start=1)
        if number in needed or not (hides_all or _is_marked(line))
    ]
    text = "\n".join(remaining).strip("\n")
    return text if _is_python(text) else "\n".join(map(_without_marker, lines)).strip("\n")


def _parse(code: str) -> list[ast.stmt]:
    try:
        return ast.parse(code).body
    except SyntaxError:  # a block that demonstrates one, with `raises`
        return []


def _is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def _is_marked(line: str) -> bool:
    return line.rstrip().endswith(HIDE_MARKER)


def _without_marker(line: str) -> str:
    return line.rstrip().removesuffix(HIDE_MARKER).rstrip() if _is_marked(line) else line
