"""Which pages run with which versions of the packages that they teach: what a trial found, as JSON and as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from itertools import groupby
from textwrap import shorten
from typing import Any

from codeout.blocks import Block, block_name, sessions
from codeout.compare import compare
from codeout.config import Config
from codeout.environment import environment
from codeout.errors import CodeoutError
from codeout.outputs import Run
from codeout.run import Engine

LONGEST = 240  # characters of an error that are shown
FOLDER = "tried"  # of the recordings


@dataclass(frozen=True, slots=True)
class Tried:
    """A page in a trial."""

    page: str  # its path
    blocks: int
    error: str  # the first line of what went wrong; empty if all blocks ran
    drifted: tuple[str, ...]  # names of the blocks whose outputs are not those of the site


@dataclass(frozen=True, slots=True)
class Trial:
    """All pages, run with the versions that were installed."""

    packages: tuple[tuple[str, str], ...]  # those that the settings name
    python: str
    device: str
    date: str  # ISO 8601
    pages: tuple[Tried, ...]


def tried(engine: Engine, blocks: Sequence[Block], published: Mapping[str, Run], date: str) -> Trial:
    """Run pages, each by itself, and say which ran and what differs from the published runs.

    Args:
        engine: what runs them, with the versions that are installed.
        blocks: of all pages.
        published: runs to compare with, by the names of their blocks.
        date: of today, ISO 8601.
    """
    pages = []
    for path, group in groupby(blocks, lambda block: block.place.path):
        own = list(group)
        try:
            runs = engine.run(own)
        except CodeoutError as problem:
            pages.append(Tried(path, len(own), str(problem).splitlines()[0], ()))
            continue
        new = {name: run for (name, _), run in zip(_named(own), runs, strict=True)}
        old = {name: run for name, run in published.items() if name in new}
        drifted = tuple(each.block for each in compare(old, new) if each.kind == "changed")
        pages.append(Tried(path, len(own), "", drifted))
    here = environment([], engine.config)
    packages = tuple((name, version) for name, version in here.packages if name in engine.config.packages)
    return Trial(packages, here.python, here.device, date, tuple(pages))


def _named(blocks: Sequence[Block]) -> list[tuple[str, Block]]:
    """Return the blocks of a page with their names, in page order."""
    names = {
        id(block): block_name(session, number)
        for session in sessions(blocks)
        for number, block in enumerate(session, start=1)
    }
    return [(names[id(block)], block) for block in blocks]


def to_json(trial: Trial) -> str:
    """Return a trial as JSON."""
    return json.dumps(asdict(trial), indent=1) + "\n"


def from_json(text: str) -> Trial:
    """Return the trial that `to_json` wrote.

    Raises:
        ValueError: it did not write this.
    """
    try:
        told: dict[str, Any] = json.loads(text)
        packages = tuple((str(name), str(version)) for name, version in told["packages"])
        pages = tuple(
            Tried(str(each["page"]), int(each["blocks"]), str(each["error"]), tuple(map(str, each["drifted"])))
            for each in told["pages"]
        )
        return Trial(packages, str(told["python"]), str(told["device"]), str(told["date"]), pages)
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"not a trial: {problem!r}") from problem


def load(config: Config) -> list[Trial]:
    """Return the trials among the recordings, the newest of each set of versions, in the order of the versions."""
    found: dict[tuple[tuple[str, str], ...], Trial] = {}
    for file in sorted((config.path(config.recordings) / FOLDER).glob("*.json")):
        trial = from_json(file.read_text(encoding="utf8"))
        if trial.packages not in found or found[trial.packages].date < trial.date:
            found[trial.packages] = trial
    return sorted(found.values(), key=lambda trial: [_parts(version) for _, version in trial.packages])


def _parts(version: str) -> list[tuple[int, str]]:
    """Return what orders versions: their numbers as numbers."""
    words = version.replace("+", ".").replace("-", ".").split(".")
    return [(int(word), "") if word.isdigit() else (-1, word) for word in words]


def table(trials: Sequence[Trial], titles: Mapping[str, str]) -> str:
    """Return trials as a table, a row for each set of versions.

    Args:
        trials: in the order of the rows.
        titles: of the pages, by their paths.
    """
    if not trials:
        return '<p class="codeout-trials">No other versions have been tried yet.</p>'
    paths = list(dict.fromkeys(tried.page for trial in trials for tried in trial.pages))
    names = list(dict.fromkeys(name for trial in trials for name, _ in trial.packages))
    heads = [*names, "Python", *(titles.get(path, path) for path in paths), "tried"]
    rows = [_row(trial, names, paths) for trial in trials]
    head = "".join(f'<th scope="col">{escape(words)}</th>' for words in heads)
    body = "".join(rows)
    return f'<div class="codeout-trials"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(trial: Trial, names: Iterable[str], paths: Iterable[str]) -> str:
    versions, pages = dict(trial.packages), {each.page: each for each in trial.pages}
    cells = [*(versions.get(name, "") for name in names), trial.python]
    shown = [f"<td>{escape(cell)}</td>" for cell in cells]
    shown += [_cell(pages[path]) if path in pages else "<td></td>" for path in paths]
    return f"<tr>{''.join(shown)}<td>{escape(trial.date[:10])}</td></tr>"


def _cell(page: Tried) -> str:
    if page.error:
        said = escape(shorten(page.error, LONGEST, placeholder=" …"))
        return f'<td class="codeout-bad"><details><summary>fails</summary>{said}</details></td>'
    if page.drifted:
        return f"<td>runs; {len(page.drifted)} of {page.blocks} outputs differ</td>"
    return "<td>runs</td>"
