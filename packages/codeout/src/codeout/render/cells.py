"""Cut a page into cells: its prose and its blocks in order, for a notebook or a script."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from codeout.model import prose
from codeout.model.blocks import MARK, Block
from codeout.model.outputs import Run
from codeout.render.hidden_lines import visible_code
from codeout.render.portable_markdown import FENCE, portable_markdown

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
REFERENCE = re.compile(  # or code, which is left as it is
    rf"(?s)^ *```.*?^ *```|`[^`\n]*`|{prose.REFERENCE.pattern}", re.MULTILINE
)
GAP = "\0"  # in place of a block while its prose is converted
OMITTED_BLOCK = "*An output is only on the web page.*"  # of a block whose code is hidden whole


@dataclass(frozen=True, slots=True)
class Page:
    """What a notebook or a script is made from."""

    text: str
    """The Markdown of the page, as written."""

    blocks: Sequence[Block]
    """Its blocks, in page order."""

    runs: Sequence[Run]
    """The run of each block."""

    modules: Mapping[str, str] = field(default_factory=dict)
    """The site's own modules that blocks import: name → source."""

    prelude: str = ""
    """The script that runs first in every session."""

    site_url: str = ""
    """URL of the published site, ending in a slash; links to other pages lead there."""

    gpu: bool = False
    """Whether a block uses a GPU if there is one."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Prose, or the code of a block with its run."""

    text: str
    """Markdown or Python."""

    block: Block | None = None
    """The block; None for prose."""

    run: Run | None = None
    """Its run; None for prose."""


def split_page(page: Page, hidden_blocks: Collection[int] = ()) -> Iterator[Cell]:
    """Yield the prose and the blocks of a page, in order.

    Args:
        page: the page.
        hidden_blocks: positions, from 0, of the blocks that are left out unless others need them.
    """
    codes = [_with_note_numbers(code) for code in visible_code([block.code for block in page.blocks], hidden_blocks)]
    for above, text in enumerate(_prose_parts(page)):
        if text := REFERENCE.sub(partial(_value_text, runs=page.runs, blocks_above=above), text):
            yield Cell(text)
        if above == len(codes):
            return
        if codes[above]:
            yield Cell(codes[above], page.blocks[above], page.runs[above])
        elif page.runs[above].outputs:
            yield Cell(OMITTED_BLOCK)


def _with_note_numbers(code: str) -> str:
    """Return code in which marks of notes are plain comments; the notes follow as text."""
    return MARK.sub(r"# (\1)", code)


def _prose_parts(page: Page) -> Iterator[str]:
    """Yield the prose above each block, and that below the last one."""
    lines = FRONT_MATTER.sub(lambda match: "\n" * match[0].count("\n"), page.text).split("\n")
    for number in reversed(range(len(page.blocks))):  # from the last, so that the lines above keep their numbers
        opening = page.blocks[number].place.line - 1
        indent = lines[opening][: len(lines[opening]) - len(lines[opening].lstrip())]
        lines[opening : _closing_line(lines, opening) + 1] = [f"{indent}{GAP}{number}"]
    text = portable_markdown("\n".join(lines), page.site_url)
    for part in re.split(rf"^.*{GAP}\d+$", text, flags=re.MULTILINE):
        yield re.sub(r"\A[>\s]*\n|[>\s]*\Z", "", part)


def _closing_line(lines: Sequence[str], opening: int) -> int:
    """Return the index of the line that closes a code fence."""
    match = FENCE.match(lines[opening])
    closing = re.compile(rf"^[ >]*{match['fence']}\s*$") if match else re.compile("$^")
    return next((index for index in range(opening + 1, len(lines)) if closing.match(lines[index])), len(lines) - 1)


def _value_text(match: re.Match[str], runs: Sequence[Run], blocks_above: int) -> str:
    """Return the value that `{name:format}` refers to; the text itself where it is code, or refers to nothing."""
    value = prose.find_value(match["name"], runs, blocks_above) if match["name"] else None
    return match[0] if value is None else value.marked((match["format"] or "")[1:])
