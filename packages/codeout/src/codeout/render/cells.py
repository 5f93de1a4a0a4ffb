"""Cut a page into cells: its prose and its blocks in order, for a notebook or a script."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import msgspec

from codeout.model import prose
from codeout.model.blocks import ANNOTATION, HOLE, Block
from codeout.model.outputs import Run
from codeout.render.portable_markdown import portable_markdown

REFERENCE = re.compile(  # or code, which is left as it is
    rf"(?s)^ *```.*?^ *```|`[^`\n]*`|{prose.REFERENCE.pattern}", re.MULTILINE
)
HIDE_COMMENT = re.compile(r"[ \t]*# markdown-exec: hide[ \t]*$", re.MULTILINE)


class Page(msgspec.Struct, frozen=True):
    """What a notebook or a script is made from."""

    text: str
    """The Markdown of the page as it was converted, with `HOLE` and a number in place of each block."""

    blocks: Sequence[Block]
    """Its blocks, in page order."""

    runs: Sequence[Run]
    """The run of each block."""

    modules: Mapping[str, str] = msgspec.field(default_factory=dict)
    """The site's own modules that blocks import: name → source."""

    prelude: str = ""
    """The script that runs first in every session."""

    site_url: str = ""
    """URL of the published site, ending in a slash; links to other pages lead there."""

    gpu: bool = False
    """Whether a block uses a GPU if there is one."""


class Cell(msgspec.Struct, frozen=True):
    """Prose, or the code of a block with its run."""

    text: str
    """Markdown or Python."""

    block: Block | None = None
    """The block; None for prose."""

    run: Run | None = None
    """Its run; None for prose."""


def split_page(page: Page) -> Iterator[Cell]:
    """Yield the prose and the blocks of a page, in order. Cells contain the code that ran, hidden lines included."""
    text = portable_markdown(page.text, page.site_url)
    for number, part in enumerate(re.split(rf"^.*{HOLE}\d+$", text, flags=re.MULTILINE)):
        prose_markdown = re.sub(r"\A[>\s]*\n|[>\s]*\Z", "", part)
        if prose_text := REFERENCE.sub(partial(_value_text, runs=page.runs, blocks_above=number), prose_markdown):
            yield Cell(prose_text)
        if number < len(page.blocks):
            yield Cell(exported_code(page.blocks[number].code), page.blocks[number], page.runs[number])


def imported_modules(code: str, modules: Mapping[str, str]) -> dict[str, str]:
    """Return those of some modules that code imports by name, or that these import; name → source."""
    names: set[str] = set()
    texts = [code]
    while texts:
        text = texts.pop()
        for name, source in modules.items():
            if name not in names and re.search(rf"^[ \t]*(?:import|from)\b.*\b{re.escape(name)}\b", text, re.MULTILINE):
                names.add(name)
                texts.append(source)
    return {name: modules[name] for name in modules if name in names}


def exported_code(code: str) -> str:
    """Return code without what only the site understands: annotations become comments, their text follows as prose."""
    return HIDE_COMMENT.sub("", ANNOTATION.sub(r"# (\1)", code)).strip("\n")


def _value_text(match: re.Match[str], runs: Sequence[Run], blocks_above: int) -> str:
    """Return the value that `{name:format}` refers to; the text itself where it is code, or refers to nothing."""
    value = prose.find_value(match["name"], runs[:blocks_above], runs[blocks_above:]) if match["name"] else None
    return match[0] if value is None else value.marked((match["format"] or "")[1:])
