"""How the outputs of a page, and of a whole site, were made: in a sentence, and as a table with a picture.

Values in, HTML out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import groupby
from pathlib import PurePath

from codeout.model.blocks import Block
from codeout.model.outputs import Run
from codeout.render.html import time_text

HERE = '<div class="codeout-overview"></div>'  # what a page writes where the table belongs


@dataclass(frozen=True, slots=True)
class Row:
    """A block of the site, and its run."""

    page: str  # its title
    url: str  # where the block is, relative to the page with the table
    block: Block
    run: Run
    size: int  # characters of its output
    recorded: bool = False  # on another device, and shown beside the run of this build


def sentence(runs: Sequence[Run], beside: Sequence[Run] = ()) -> str:
    """Return in a sentence how the blocks of a page ran; empty if it has none.

    Args:
        runs: of its blocks.
        beside: recordings on other devices that are shown with them.
    """
    if not runs:
        return ""
    told = [run.provenance for run in runs]
    seconds = time_text(sum(each.seconds for each in told))
    packages = _each(f"{name} {version}" for each in told for name, version in each.packages[:1])
    days = sorted({each.date.partition("T")[0] for each in told})
    when = _day(days[-1]) if len(days) == 1 else f"{_day(days[0])} to {_day(days[-1])}"
    blocks = "1 block" if len(runs) == 1 else f"{len(runs)} blocks"
    also = "".join(f"; {n} of them also on {device}" for device, n in Counter(_devices(beside)).items())
    return (
        ", ".join(part for part in (f"{blocks} ran in {seconds} on {_each(_devices(runs))}", packages, when) if part)
        + also
    )


def table(rows: Sequence[Row]) -> str:
    """Return every block of a site with its time, device, age and size; above it the same as a picture."""
    parts = [_picture(rows), "<table><thead><tr>"]
    heads = ("Block", "Seconds", "Output", "Device", "Ran")
    parts += [f"<th>{head}</th>" for head in heads] + ["</tr></thead>"]
    for page, group in groupby(rows, lambda row: row.page):
        own = list(group)
        parts.append(f'<tbody><tr><th colspan="{len(heads)}" scope="rowgroup">{escape(page)}</th></tr>')
        parts += [_row(row) for row in own] + ["</tbody>"]
    return f'<div class="codeout-overview">{"".join(parts)}</table></div>'


def _row(row: Row) -> str:
    told = row.run.provenance
    when = f'<time datetime="{escape(told.date)}">{_day(told.date)}</time>'
    cells = (f"{told.seconds:.3f}", f"{row.size / 1000:.1f} kB", escape(told.device), when)
    origin = row.block.origin
    words = f"{PurePath(origin.path).name}:{origin.line}"
    link = f'<a href="{escape(row.url)}" title="{escape(str(origin))}">{escape(words)}</a>'
    return f"<tr><td>{link}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _picture(rows: Sequence[Row]) -> str:
    """Return a bar for each page, as long as its blocks took, cut into them."""
    here = [row for row in rows if not row.recorded]
    pages = {page: list(group) for page, group in groupby(here, lambda row: row.page)}
    totals = {page: sum(row.run.provenance.seconds for row in own) for page, own in pages.items()}
    most = max(totals.values(), default=0) or 1.0
    bars = []
    for page, own in pages.items():
        cuts = "".join(
            f'<span style="flex-grow: {row.run.provenance.seconds:.4f}" title="{escape(str(row.block.origin))}: '
            f'{time_text(row.run.provenance.seconds)}"></span>'
            for row in own
        )
        share = f"{100 * totals[page] / most:.2f}%"
        words = f"{escape(page)}, {time_text(totals[page])}"
        bars.append(f'<dt>{words}</dt><dd><div class="codeout-bar" style="width: {share}">{cuts}</div></dd>')
    return f'<dl class="codeout-bars">{"".join(bars)}</dl>'


def facts(rows: Sequence[Row], gpu: Sequence[str] = ()) -> str:
    """Return the machines, the versions and the data of a site's runs, what stands in for others, and what did not run.

    Args:
        rows: the blocks of the site.
        gpu: patterns of sessions that use a GPU, where there is one.
    """
    told = [row.run.provenance for row in rows]
    found: dict[str, dict[str, None]] = {}
    for each in told:
        found.setdefault("Device", {})[each.device] = None
        found.setdefault("Python", {})[each.python] = None
        for name, version in each.packages:
            found.setdefault(name, {})[version] = None
        for source in each.sources:
            kind = "Not the real thing" if source.placeholder else "Data"
            found.setdefault(kind, {})[f"{source.name}: {source.note}"] = None
    for page in _without_gpu(rows, gpu):
        found.setdefault("Not run", {})[
            f"{page}, on a GPU: this machine has none, and nobody has recorded this code"
        ] = None
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape('; '.join(values))}</dd>" for name, values in found.items())
    return f'<dl class="codeout-facts">{items}</dl>'


def _without_gpu(rows: Sequence[Row], gpu: Sequence[str]) -> list[str]:
    """Return the titles of pages with sessions that use a GPU, and that have not run on one."""
    wanted = [row for row in rows if row.block.matches(gpu)]
    ran = {(row.page, row.block.session) for row in wanted if row.run.provenance.device != "CPU"}
    return list(dict.fromkeys(row.page for row in wanted if (row.page, row.block.session) not in ran))


def _devices(runs: Sequence[Run]) -> list[str]:
    return [run.provenance.device for run in runs]


def _day(date: str) -> str:
    when = datetime.fromisoformat(date)
    return f"{when.day} {when:%b %Y}"


def _each(words: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(words))
