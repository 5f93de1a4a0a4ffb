"""Values and numbers in the text of a page: `{accuracy:.0%}` shows a value; hard-coded numbers can be checked.

Pure functions, no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from codeout.model.blocks import Block, Place
from codeout.model.outputs import Run, Scalar, Source, as_text

# A name in braces, perhaps with a format; not `{{ macro }}`, not `\frac{a}`, not `![](x){width=3}`.
REFERENCE = re.compile(r"(?<![\w}\\{$^)\]])\{(?P<name>[A-Za-z]\w*)(?P<format>:[^{}\s:]*)?\}(?!\})")
NUMBER = re.compile(r"(?<![\w.])(?<!\w-)\d+(?:,\d{3})*(?:\.\d+)?(?![\w]|\.\d)")
NOT_PROSE = re.compile(
    r"(?sm)\A---\n.*?\n---\n"  # front matter
    r"|^(?P<indent>[ >]*)(?P<fence>`{3,}|~{3,}).*?^(?P=indent)(?P=fence)[ ]*$"  # code, and what runs
    r"|<!--.*?-->|<[^>\n]+>|`+[^`\n]*`+"
    r"|\$\$.*?\$\$|\$[^$\n]+\$"
    r"|\]\([^)\n]*\)|\{[:.#][^}\n]*\}|https?://\S+"
    r"|^[ >#]*\d+\.[ ]"  # the numbers of lists and headings
)


PLACEHOLDER_MARK = " (placeholder data)"


class PageValue(msgspec.Struct, frozen=True):
    """A value that the blocks of a page computed, to be shown in its text."""

    value: Scalar
    placeholders: tuple[Source, ...] = ()
    """Placeholder data that its run depends on; empty if the value comes from real data."""

    def marked(self, spec: str) -> str:
        """Return the value, formatted by Python's specification, as text that says so if its data are placeholders.

        Raises:
            ValueError: the specification does not suit the value.
        """
        return format(self.value, spec) + (PLACEHOLDER_MARK if self.placeholders else "")


class HardcodedNumber(msgspec.Struct, frozen=True):
    """A number in the text of a page that matches no nearby code or output."""

    place: Place
    number: str
    line: str
    """The text of that line."""


def find_value(name: str, above: Sequence[Run], below: Sequence[Run]) -> PageValue | None:
    """Return a value as the runs of the blocks above the text left it, or else as those below it leave it."""
    for run in (*reversed(above), *reversed(below)):
        if name in run.values:
            sources = run.provenance.sources
            return PageValue(run.values[name], tuple(source for source in sources if source.is_placeholder))
    return None


def hardcoded_numbers(text: str, page: str, blocks: Sequence[Block], runs: Sequence[Run]) -> Iterator[HardcodedNumber]:
    """Yield the numbers in the text of a page that neither the block above nor the one below contains.

    A number counts as contained if the code or the output has it, exactly or rounded to as many digits as written;
    a percentage also as a fraction.
    """
    if not blocks:
        return
    prose_text = NOT_PROSE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for number, (line, original) in enumerate(zip(prose_text.split("\n"), text.split("\n"), strict=True), start=1):
        if not (matches := list(NUMBER.finditer(line))):
            continue
        blocks_above = sum(block.place.line < number for block in blocks)
        nearby = range(max(blocks_above - 1, 0), min(blocks_above + 1, len(blocks)))
        values = [value for i in nearby for value in _block_numbers(blocks[i], runs[i])]
        for match in matches:
            is_percentage = re.match(r"\s?%", line[match.end() :]) is not None
            if not any(_equals(match[0], value, is_percentage=is_percentage) for value in values):
                yield HardcodedNumber(Place(page, number), match[0], original.strip())


def _block_numbers(block: Block, run: Run) -> Iterator[float]:
    values = " ".join(map(str, run.values.values()))
    text = f"{block.executable_code}\n{as_text(run)}\n{values}"
    for match in re.finditer(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:e-?\d+)?", text):
        yield float(match[0].replace(",", ""))


def _equals(text: str, value: float, *, is_percentage: bool) -> bool:
    digits = len(text.partition(".")[2])
    number = float(text.replace(",", ""))
    candidates = (value, 100 * value) if is_percentage else (value,)
    return any(abs(number - candidate) <= 0.5001 * 10**-digits for candidate in candidates)
