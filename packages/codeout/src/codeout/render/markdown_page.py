"""Write a page as plain Markdown with its outputs, for readers that are machines and for pasting elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import unescape
from itertools import groupby

from codeout.model.outputs import Error, Figure, Output, Stream, Value
from codeout.render.cells import Cell, Page, split_page
from codeout.render.notebook import provenance_text

BARE_DISPLAY = re.compile(r"<IPython\.core\.display\.\w+ object>")
"""The text of an object that IPython only shows."""
MAX_TEXT = 10_000
"""Characters of a value's text; a longer one is that of an object that was made to be seen, not read."""


def markdown_page(page: Page) -> str:
    """Return a page with each block's code and what it printed, returned and drew; a picture is its alt text."""
    parts = [part for cell in split_page(page) for part in _cell_parts(cell)]
    if page.runs:
        parts.append(provenance_text(page.runs[-1].provenance))
    return "\n\n".join(parts) + "\n"


def _cell_parts(cell: Cell) -> Iterator[str]:
    if cell.block is None or cell.run is None:
        yield cell.text
        return
    if cell.block.shows_source:
        yield _fence(cell.text, "python")
    if cell.run.all_outputs:
        sources = (source for source in cell.run.provenance.sources if source.is_placeholder)
        yield from (f"> **{source.name} is placeholder data:** {source.note}" for source in sources)
    sweep = cell.block.sweep
    yield from _outputs(cell.run.outputs, f"Output with {sweep.describe(sweep.cases[0])}:" if sweep else "Output:")
    for case in cell.run.cases:
        yield from _outputs(case.outputs, f"Output with {sweep.describe(case.values)}:")


def _outputs(outputs: Sequence[Output], title: str) -> Iterator[str]:
    if outputs:
        yield title
        yield from _merge_texts(map(_output, outputs))


def _merge_texts(outputs: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """Yield outputs as Markdown; text that follows text is in one fence."""
    for is_text, group in groupby(outputs, lambda output: output[1]):
        contents = [content for content, _ in group]
        if is_text:
            lines = (content.removesuffix("\n") for content in contents)
            contents = [_fence("\n".join(lines).rstrip("\n"), "text")]
        yield from contents


def _output(output: Output) -> tuple[str, bool]:
    """Return an output, and whether it is text that belongs in a fence."""
    match output:
        case Stream(_, text):
            return text, True
        case Error(traceback=traceback):
            return traceback, True
        case Figure(_, alt, _):
            return f"*Picture: {alt}*", False
        case Value(data) if "text/markdown" in data:
            return data["text/markdown"], False
        case Value(data) if "image/svg+xml" in data:
            return f"*Picture: {_describe_drawing(data['image/svg+xml'])}*", False
        case Value(data):
            text = data.get("text/plain", "")
            is_readable = 0 < len(text) <= MAX_TEXT and not BARE_DISPLAY.fullmatch(text)
            return (text, True) if is_readable else ("*Not shown here: an output to look at.*", False)


def _describe_drawing(svg: str) -> str:
    """Return what a drawing says of itself: its title and its description."""
    parts = [unescape(part.strip()) for part in re.findall(r"<(?:title|desc)\b[^>]*>([^<]*)<", svg)[:2]]
    return ". ".join(part.rstrip(".") for part in parts if part) or "a drawing"


def _fence(text: str, language: str) -> str:
    ticks = "```"
    while ticks in text:
        ticks += "`"
    return f"{ticks}{language}\n{text}\n{ticks}"
