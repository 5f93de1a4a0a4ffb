"""Say how outputs were computed, in text or HTML: those of a block, of a page, and of a whole site."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from itertools import groupby
from pathlib import PurePath

import msgspec

from codeout.model.blocks import Block
from codeout.model.expectations import SKIPPED
from codeout.model.outputs import Provenance, Run, Source

MARKER = '<div class="codeout-overview"></div>'
"""What an author writes into a page where facts and table are to appear."""
HEADINGS = ("Block", "Seconds", "Output", "Device", "Ran")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A block of the site with one of its runs."""

    page: str
    """Title of its page."""
    url: str
    """URL of the block, relative to the page with the table."""
    block: Block
    run: Run
    size: int
    """Number of characters of its output."""
    is_recording: bool = False
    """Whether it comes from another device, and is shown next to the run of this build."""


def sentence(runs: Sequence[Run], recordings: Sequence[Run] = ()) -> str:
    """Return how the blocks of a page ran, also those of its recordings, in plain text; empty if the page has none."""
    if not runs:
        return ""
    provenances = [run.provenance for run in runs]
    skips = sum(run.error is not None and run.error.type == SKIPPED for run in runs)
    count = "1 block" if len(runs) == 1 else f"{len(runs) - skips} {f'of {len(runs)} ' if skips else ''}blocks"
    seconds = time_text(sum(run.total_seconds for run in runs))
    versions = _enumerate(" ".join(package) for each in provenances for package in each.packages[:1])
    facts = [f"{count} ran in {seconds} on {_enumerate(_devices(runs))}", versions, _period(provenances)]
    also = [f"; {n} of them also on {device}" for device, n in Counter(_devices(recordings)).items()]
    return ", ".join(filter(None, facts)) + "".join(also)


def run_line(provenance: Provenance, *, is_recording: bool) -> str:
    """Return the line under an output: device, version and time; more facts when opened."""
    brief = [provenance.device, *map(" ".join, provenance.packages[:1]), time_text(provenance.seconds)]
    brief += [f"{source.name}: {_brief_note(source)}" for source in provenance.sources]
    peaks = {"Memory": provenance.memory, "GPU memory": provenance.gpu_memory}
    memory = [(name, f"{peak / 1e6:,.0f} MB at most") for name, peak in peaks.items() if peak]
    facts = [("Ran", date_text(provenance)), *memory, ("Python", provenance.python)]
    facts += [(name, version) for name, version in provenance.packages]
    mark = "placeholder data; "
    facts += [(source.name, f"{mark if source.is_placeholder else ''}{source.note}") for source in provenance.sources]
    facts += [("Code", provenance.code_digest)] if provenance.code_digest else []
    facts += [("From", "a recording made on another machine" if is_recording else "this site's build cache")]
    lines = escape("\n".join(f"{name}: {fact}" for name, fact in facts))  # text: a search plugin parses each element
    summary = f"<summary>{escape(' · '.join(brief))}</summary>"
    return f'<details class="codeout-run" data-search-exclude>{summary}<pre>{lines}</pre></details>'


def date_text(provenance: Provenance) -> str:
    """Return when a run was made."""
    return provenance.date.replace("T", " ").replace("+00:00", " UTC")


def _brief_note(source: Source) -> str:
    return "placeholder data" if source.is_placeholder else re.split("[:;,] ", source.note)[0]


def time_text(seconds: float) -> str:
    """Return a duration as people write it: 3 ms, 1.2 s, 1 min 15 s."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def placeholder_notice(runs: Sequence[Run]) -> str:
    """Return which placeholder data the outputs of a page come from, in plain text; empty if they come from none."""
    sources = [source for run in runs for source in run.provenance.sources if source.is_placeholder]
    notes = dict.fromkeys(f"{source.name}: {source.note}" for source in sources)
    return f"Some results on this page come from placeholder data: {'; '.join(notes)}." if notes else ""


def table(rows: Sequence[Row]) -> str:
    """Return a table of all blocks with time, size, device and age, below a bar chart of their times."""
    headings = "".join(f"<th>{heading}</th>" for heading in HEADINGS)
    parts = [_bar_chart(rows), f"<table><thead><tr>{headings}</tr></thead>"]
    for page, group in groupby(rows, lambda row: row.page):
        title = f'<tr><th colspan="{len(HEADINGS)}" scope="rowgroup">{escape(page)}</th></tr>'
        parts.append(f"<tbody>{title}{''.join(map(_table_row, group))}</tbody>")
    return f'<div class="codeout-overview">{"".join(parts)}</table></div>'


def _table_row(row: Row) -> str:
    provenance = row.run.provenance
    day = f'<time datetime="{escape(provenance.date)}">{_day(provenance.date)}</time>'
    cells = (f"{row.run.total_seconds:.3f}", f"{row.size / 1000:.1f} kB", escape(provenance.device), day)
    origin = row.block.origin
    text = escape(f"{PurePath(origin.path).name}:{origin.line}")
    link = f'<a href="{escape(row.url)}" title="{escape(str(origin))}">{text}</a>'
    return f"<tr><td>{link}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _bar_chart(rows: Sequence[Row]) -> str:
    """Return a bar for each page, as long as its blocks took, divided into blocks."""
    rows_here = [row for row in rows if not row.is_recording]
    pages = {page: list(group) for page, group in groupby(rows_here, lambda row: row.page)}
    totals = {page: sum(row.run.total_seconds for row in group) for page, group in pages.items()}
    longest = max(totals.values(), default=0) or 1.0
    bars = []
    for page, group in pages.items():
        segments = "".join(map(_bar_segment, group))
        bar = f'<div class="codeout-bar" style="width: {100 * totals[page] / longest:.2f}%">{segments}</div>'
        bars.append(f"<dt>{escape(page)}, {time_text(totals[page])}</dt><dd>{bar}</dd>")
    return f'<dl class="codeout-bars">{"".join(bars)}</dl>'


def _bar_segment(row: Row) -> str:
    seconds = row.run.total_seconds
    title = f"{escape(str(row.block.origin))}: {time_text(seconds)}"
    return f'<span style="flex-grow: {seconds:.4f}" title="{title}"></span>'


def facts(rows: Sequence[Row], gpu: Sequence[str] = ()) -> str:
    """Return the devices, versions and data behind a site's outputs, and which sessions for a GPU ran on none."""
    values: dict[str, dict[str, None]] = {}  # a dict in place of a set keeps the order
    for provenance in (row.run.provenance for row in rows):
        notes = [
            ("Placeholder data" if source.is_placeholder else "Data", f"{source.name}: {source.note}")
            for source in provenance.sources
        ]
        machine = [("Device", provenance.device), ("Python", provenance.python)]
        for name, value in (*machine, *provenance.packages, *notes):
            values.setdefault(name, {})[value] = None
    for page in _pages_without_gpu(rows, gpu):
        reason = f"{page}: this machine has none, and there is no recording of this code"
        values.setdefault("Not run on a GPU", {})[reason] = None
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape('; '.join(texts))}</dd>" for name, texts in values.items())
    return f'<dl class="codeout-facts">{items}</dl>'


def _pages_without_gpu(rows: Sequence[Row], gpu: Sequence[str]) -> list[str]:
    """Return the titles of the pages with sessions that use a GPU but have not run on one."""
    gpu_rows = [row for row in rows if row.block.matches(gpu)]
    ran = {(row.page, row.block.session) for row in gpu_rows if row.run.provenance.device != "CPU"}
    return list(dict.fromkeys(row.page for row in gpu_rows if (row.page, row.block.session) not in ran))


def _devices(runs: Sequence[Run]) -> list[str]:
    return [run.provenance.device for run in runs]


def _period(provenances: Sequence[Provenance]) -> str:
    """Return the day, or the first and the last day, on which blocks ran."""
    days = sorted({provenance.date.partition("T")[0] for provenance in provenances})
    return _day(days[0]) if len(days) == 1 else f"{_day(days[0])} to {_day(days[-1])}"


def _day(date: str) -> str:
    day = datetime.fromisoformat(date)
    return f"{day.day} {day:%b %Y}"


def _enumerate(items: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(items))
