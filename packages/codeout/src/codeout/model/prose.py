"""Values and numbers in the running text of a page: `{accuracy:.0%}` names one, and typed ones can be checked.

Values in, values out: nothing here opens a file or starts a process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codeout.model.blocks import Block, Place
from codeout.model.outputs import Run, Scalar, as_text

# A name in braces, perhaps with a format; not `{{ macro }}`, not `\frac{a}`, not `![](x){width=3}`.
NAMED = re.compile(r"(?<![\w}\\{$^)\]])\{(?P<name>[A-Za-z]\w*)(?P<format>:[^{}\s:]*)?\}(?!\})")
NUMBER = re.compile(r"(?<![\w.])(?<!\w-)\d+(?:,\d{3})*(?:\.\d+)?(?![\w]|\.\d)")
NOT_PROSE = re.compile(
    r"(?sm)\A---\n.*?\n---\n"  # front matter
    r"|^(?P<indent>[ >]*)(?P<fence>`{3,}|~{3,}).*?^(?P=indent)(?P=fence)[ ]*$"  # code, and what runs
    r"|<!--.*?-->|<[^>\n]+>|`+[^`\n]*`+"
    r"|\$\$.*?\$\$|\$[^$\n]+\$"
    r"|\]\([^)\n]*\)|\{[:.#][^}\n]*\}|https?://\S+"
    r"|^[ >#]*\d+\.[ ]"  # the numbers of lists and headings
)


@dataclass(frozen=True, slots=True)
class Typed:
    """A number that was typed in prose, and that no block near it has in its code or its output."""

    place: Place
    number: str
    line: str


def find(name: str, runs: Sequence[Run], above: int) -> Scalar | None:
    """Return a value by its name: as the nearest block above the text left it, or else as the page leaves it.

    Args:
        name: a name of a session of the page.
        runs: of the blocks of the page, in order.
        above: how many of the blocks stand above the text.
    """
    for run in (*reversed(runs[:above]), *reversed(runs[above:])):
        if name in run.values:
            return run.values[name]
    return None


def formatted(value: Scalar, spec: str) -> str:
    """Return a value as text.

    Args:
        value: the value.
        spec: Python's format specification (https://docs.python.org/3/library/string.html#formatspec).

    Raises:
        ValueError: the format is none for this value.
    """
    return format(value, spec)


def names(runs: Sequence[Run]) -> list[str]:
    """Return the names that prose may use."""
    return sorted({name for run in runs for name in run.values})


def typed(text: str, page: str, blocks: Sequence[Block], runs: Sequence[Run]) -> Iterator[Typed]:
    """Yield the numbers typed in the prose of a page that neither the block above nor the one below contains.

    A number counts as contained if the code or the output has it, exactly or rounded to as many digits as were typed;
    a percentage also as a fraction.
    """
    bare = NOT_PROSE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for number, line in enumerate(bare.split("\n"), start=1):
        found = list(NUMBER.finditer(line))
        if not found or not blocks:
            continue
        above = sum(block.place.line < number for block in blocks)
        near = range(max(above - 1, 0), min(above + 1, len(blocks)))
        known = [float(n[0].replace(",", "")) for i in near for n in _numbers(blocks[i], runs[i])]
        for match in found:
            percent = re.match(r"\s?%", line[match.end() :]) is not None
            if not any(_same(match[0], value, percent) for value in known):
                yield Typed(Place(page, number), match[0], text.split("\n")[number - 1].strip())


def _numbers(block: Block, run: Run) -> Iterator[re.Match[str]]:
    values = " ".join(str(value) for value in run.values.values())
    return re.finditer(
        r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:e-?\d+)?", f"{block.executable_code}\n{as_text(run)}\n{values}"
    )


def _same(shown: str, value: float, percent: bool) -> bool:
    digits = len(shown.partition(".")[2])
    wanted = float(shown.replace(",", ""))
    return any(abs(wanted - each) <= 0.5001 * 10**-digits for each in ((value, 100 * value) if percent else (value,)))
