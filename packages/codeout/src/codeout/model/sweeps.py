"""A sweep: a block that runs once for each value of some of its assignments. Pure: code and text in, code out.

    sweep="lr=0.01,0.1; width=4,32"

stands for four cases. The first value of each name is the one that the code itself has.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import product

import msgspec

MAX_CASES = 64
"""Of one block: each of them runs."""


class Knob(msgspec.Struct, frozen=True):
    """A name, and the values that it takes in turn."""

    name: str
    values: tuple[str, ...]
    """As the author wrote them: literals of Python. The first is the one in the code."""


class Sweep(msgspec.Struct, frozen=True):
    """The knobs of a block."""

    knobs: tuple[Knob, ...] = ()
    """None, for a block that runs once."""

    def __bool__(self) -> bool:
        return bool(self.knobs)

    @property
    def cases(self) -> list[tuple[str, ...]]:
        """A value for each knob, for all combinations; the first is that of the code itself."""
        return list(product(*(knob.values for knob in self.knobs)))

    def describe(self, case: Sequence[str]) -> str:
        """Return the assignments of a case, as code."""
        return ", ".join(f"{knob.name} = {value}" for knob, value in zip(self.knobs, case, strict=True))


ONCE = Sweep()
"""Of a block that is not swept."""


def parse_sweep(text: str) -> Sweep:
    """Return the sweep that an option describes.

    Raises:
        ValueError: it has another form, a value is no literal, or there are too many cases; completes "sweep ...".
    """
    sweep = Sweep(tuple(_parse_knob(part) for part in text.split(";")))
    names = [knob.name for knob in sweep.knobs]
    if len({*names}) < len(names):
        raise ValueError("names a variable twice")
    if len(sweep.cases) > MAX_CASES:
        raise ValueError(f"has {len(sweep.cases)} cases; at most {MAX_CASES} are possible")
    return sweep


def _parse_knob(text: str) -> Knob:
    name, equals, values = (part.strip() for part in text.partition("="))
    if not (equals and name.isidentifier()):
        raise ValueError(f"must look like 'lr=0.01,0.1; width=4,32', not {text.strip()!r}")
    source = f"[{values}]"
    try:
        elements = ast.parse(source, mode="eval").body
        if not isinstance(elements, ast.List):
            raise ValueError("not a list of values")
        literals = [ast.literal_eval(element) for element in elements.elts]
    except (SyntaxError, ValueError) as problem:
        raise ValueError(f"needs literals for {name!r}, like 0.1 or 'relu', not {values!r}") from problem
    if len({*map(repr, literals)}) < max(len(literals), 2):
        raise ValueError(f"needs two or more different values for {name!r}")
    return Knob(name, tuple(ast.get_source_segment(source, element) or "" for element in elements.elts))


def swept_lines(code: str, sweep: Sweep) -> list[int]:
    """Return the lines of the assignments that are swept, counted from 1.

    Raises:
        ValueError: as for `case_codes`.
    """
    return sorted({literal.lineno for literal in _find_literals(code, sweep)})


def case_codes(code: str, sweep: Sweep) -> list[str]:
    """Return the code of each case, line for line the same but for the values.

    Raises:
        ValueError: the code does not assign a literal to each name exactly once, outside of functions, loops and
            conditions, or has another value there than the first; completes "sweep ...".
    """
    literals = _find_literals(code, sweep)
    return [_replace(code, zip(literals, case, strict=True)) for case in sweep.cases]


def _find_literals(code: str, sweep: Sweep) -> list[ast.expr]:
    try:
        statements = ast.parse(code).body
    except SyntaxError as problem:
        raise ValueError(f"cannot change code that is not valid Python: {problem.msg}") from problem
    return [_find_literal(statements, knob) for knob in sweep.knobs]


def _find_literal(statements: Sequence[ast.stmt], knob: Knob) -> ast.expr:
    values = [value for statement in statements for name, value in _assignments(statement) if name == knob.name]
    if len(values) != 1:
        times = "does not" if not values else "must only once"
        raise ValueError(f"needs a line like `{knob.name} = {knob.values[0]}`; the block {times} have one")
    value = values[0]
    try:
        in_code, first = ast.literal_eval(value), ast.literal_eval(knob.values[0])
    except ValueError as problem:
        raise ValueError(f"can change `{knob.name} = ...` only where its value is a literal, like 0.1") from problem
    if repr(in_code) != repr(first):
        raise ValueError(f"must begin with the code's own value: `{knob.name}` is {ast.unparse(value)} there")
    if value.lineno != value.end_lineno:
        raise ValueError(f"needs the value of `{knob.name}` on one line")
    return value


def _assignments(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Yield the name and the value of a statement that assigns to one name."""
    match statement:
        case ast.Assign([ast.Name(name)], value):
            yield name, value
        case ast.AnnAssign(ast.Name(name), value=ast.expr() as value):
            yield name, value


def _replace(code: str, changes: Iterator[tuple[ast.expr, str]]) -> str:
    lines = [line.encode() for line in code.split("\n")]  # `ast` counts columns in bytes of UTF-8
    for literal, value in sorted(changes, key=lambda change: -change[0].col_offset):  # right to left
        line = lines[literal.lineno - 1]
        lines[literal.lineno - 1] = line[: literal.col_offset] + value.encode() + line[literal.end_col_offset :]
    return b"\n".join(lines).decode()
