"""Write a page and its runs as a notebook (nbformat 4.5) that runs from top to bottom with the packages alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from codeout.model.mime import IMAGE_TYPES
from codeout.model.outputs import Error, Figure, Output, Provenance, Stream, Value
from codeout.render.cells import Page, exported_code, split_page

Json = dict[str, Any]

SETUP_NOTE = "*The folded cells contain setup that all pages of the site share. Run them first.*"


def notebook(page: Page) -> str:
    """Return a page as a notebook.

    It is written without the library `nbformat`, whose import takes longer than all the rest, since a build writes one
    at each edit; `validated` checks it with the library.
    """
    cells = [*_setup_cells(page), *_page_cells(page)]
    if page.runs:
        cells.append(_markdown_cell(provenance_text(page.runs[-1].provenance)))
    cells_with_ids = [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)]  # the same at each export
    content = {"cells": cells_with_ids, "metadata": _metadata(page), "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def validated(text: str) -> str:
    """Return a notebook unchanged if `nbformat` finds it valid.

    Raises:
        nbformat.ValidationError: it is not valid, which is a bug in this module.
    """
    import nbformat

    nbformat.validate(nbformat.reads(text, 4))
    return text


def _metadata(page: Page) -> Json:
    metadata: Json = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python", "version": page.runs[-1].provenance.python if page.runs else "3"},
    }
    if page.gpu:  # for Google Colab
        metadata |= {"accelerator": "GPU", "colab": {"gpuType": "T4"}}
    return metadata


def _setup_cells(page: Page) -> Iterator[Json]:
    """Yield folded cells that provide what the blocks find on the site's own machine."""
    cell_metadata: Json = {"jupyter": {"source_hidden": True}, "cellView": "form"}
    if page.modules or page.prelude:
        yield _markdown_cell(SETUP_NOTE)
    for name, source in page.modules.items():
        yield _code_cell(f"%%writefile {name}.py\n{source}", cell_metadata)
    if page.prelude:
        yield _code_cell(exported_code(page.prelude), cell_metadata)


def _page_cells(page: Page) -> Iterator[Json]:
    count = 0
    for cell in split_page(page):
        if cell.block is None or cell.run is None:
            yield _markdown_cell(cell.text)
        else:
            count += 1
            metadata = {"tags": ["raises-exception"]} if cell.block.raises else {}
            yield _code_cell(cell.text, metadata, count, [_output(output, count) for output in cell.run.outputs])


def _markdown_cell(text: str) -> Json:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _code_cell(text: str, metadata: Json, count: int | None = None, outputs: Sequence[Json] = ()) -> Json:
    cell = {"cell_type": "code", "source": text, "metadata": metadata}
    return {**cell, "execution_count": count, "outputs": list(outputs)}


def _output(output: Output, count: int) -> Json:
    match output:
        case Stream(name, text):
            return {"output_type": "stream", "name": name, "text": text}
        case Value(data, width):
            return {"output_type": "execute_result", "execution_count": count, **_bundle(data, width)}
        case Figure(data, _, width):
            return {"output_type": "display_data", **_bundle(data, width)}
        case Error(type=kind, message=message, traceback=traceback):
            lines = traceback.rstrip().split("\n")
            return {"output_type": "error", "ename": kind, "evalue": message, "traceback": lines}


def _bundle(data: Mapping[str, str], width: int) -> Json:
    """Return a MIME bundle. Its SVG has a white background, so that its ink shows in a dark theme."""
    background = r'\1<rect width="100%" height="100%" fill="white"/>'
    texts = {mime: re.sub(r"(<svg\b[^>]*>)", background, part, count=1) for mime, part in data.items()}
    parts = {mime: json.loads(text) if mime.endswith("json") else text for mime, text in texts.items()}
    widths = {mime.name: {"width": width} for mime in IMAGE_TYPES if mime.name in data} if width else {}
    return {"data": parts, "metadata": widths}


def provenance_text(provenance: Provenance) -> str:
    """Return how the outputs of a page were computed, as a line of Markdown."""
    machine = ", ".join([provenance.device, f"Python {provenance.python}", *map(" ".join, provenance.packages)])
    sources = "".join(f" {source.name}: {source.note}." for source in provenance.sources)
    day = provenance.date.partition("T")[0]
    return f"*Outputs computed on {machine}, on {day}.{sources}*"
