"""Which pages run with which versions of the packages that they teach: what a trial found, as JSON and as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from itertools import groupby
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from codeout.config import Config
from codeout.errors import CodeoutError
from codeout.model.blocks import Block, block_name, sessions
from codeout.model.outputs import Run

if TYPE_CHECKING:
    from codeout.run.engine import Engine

LONGEST = 240  # characters of an error that are shown
FOLDER = "tried"  # of the recordings


@dataclass(frozen=True, slots=True)
class PageResult:
    """A page in a trial."""

    page: str  # its path
    blocks: int
    error: str  # the first line of what went wrong; empty if all blocks ran
    drifted: tuple[str, ...]  # names of the blocks whose outputs are not those of the site


@dataclass(frozen=True, slots=True)
class CompatResult:
    """All pages, run with the versions that were installed."""

    packages: tuple[tuple[str, str], ...]  # those that the settings name
    python: str
    device: str
    date: str  # ISO 8601
    pages: tuple[PageResult, ...]


def tried(engine: Engine, blocks: Sequence[Block], published: Mapping[str, Run], date: str) -> CompatResult:
    """Run pages, each by itself, and say which ran and what differs from the published runs.

    Args:
        engine: what runs them, with the versions that are installed.
        blocks: of all pages.
        published: runs to compare with, by the names of their blocks.
        date: of today, ISO 8601.
    """
    from codeout.cache.environment import environment
    from codeout.compare.runs import compare  # here, since a build that shows the table needs neither

    pages = []
    for path, group in groupby(blocks, lambda block: block.place.path):
        own = list(group)
        try:
            runs = engine.run(own)
        except CodeoutError as problem:
            pages.append(PageResult(path, len(own), str(problem).splitlines()[0], ()))
            continue
        new = {name: run for (name, _), run in zip(_named(own), runs, strict=True)}
        old = {name: run for name, run in published.items() if name in new}
        drifted = tuple(each.block for each in compare(old, new) if each.kind == "changed")
        pages.append(PageResult(path, len(own), "", drifted))
    here = environment([], engine.config)
    packages = tuple((name, version) for name, version in here.packages if name in engine.config.packages)
    return CompatResult(packages, here.python, here.device, date, tuple(pages))


def _named(blocks: Sequence[Block]) -> list[tuple[str, Block]]:
    """Return the blocks of a page with their names, in page order."""
    names = {
        id(block): block_name(session, number)
        for session in sessions(blocks)
        for number, block in enumerate(session, start=1)
    }
    return [(names[id(block)], block) for block in blocks]


def to_json(trial: CompatResult) -> str:
    """Return a trial as JSON."""
    return json.dumps(asdict(trial), indent=1) + "\n"


def from_json(text: str) -> CompatResult:
    """Return the trial that `to_json` wrote.

    Raises:
        ValueError: it did not write this.
    """
    try:
        told: dict[str, Any] = json.loads(text)
        packages = tuple((str(name), str(version)) for name, version in told["packages"])
        pages = tuple(
            PageResult(str(each["page"]), int(each["blocks"]), str(each["error"]), tuple(map(str, each["drifted"])))
            for each in told["pages"]
        )
        if not packages:
            raise ValueError("not a trial: it names no package")
        return CompatResult(packages, str(told["python"]), str(told["device"]), str(told["date"]), pages)
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"not a trial: {problem!r}") from problem


def load(config: Config) -> list[CompatResult]:
    """Return the trials among the recordings, the newest of each set of versions, in the order of the versions."""
    found: dict[tuple[tuple[str, str], ...], CompatResult] = {}
    for file in sorted((config.path(config.recordings) / FOLDER).glob("*.json")):
        trial = from_json(file.read_text(encoding="utf8"))
        if trial.packages not in found or found[trial.packages].date < trial.date:
            found[trial.packages] = trial
    return sorted(found.values(), key=lambda trial: [_parts(version) for _, version in trial.packages])


def _parts(version: str) -> list[tuple[int, str]]:
    """Return what orders versions: their numbers as numbers."""
    words = version.replace("+", ".").replace("-", ".").split(".")
    return [(int(word), "") if word.isdigit() else (-1, word) for word in words]


def table(trials: Sequence[CompatResult], titles: Mapping[str, str]) -> str:
    """Return trials as a table: a column for each set of versions, a row for each page; below it, what failed.

    Args:
        trials: in the order of the columns.
        titles: of the pages, by their paths.
    """
    if not trials:
        return '<p class="codeout-trials">No other versions have been tried yet.</p>'
    paths = list(dict.fromkeys(tried.page for trial in trials for tried in trial.pages))
    heads = "".join(f'<th scope="col">{_versions(trial)}</th>' for trial in trials)
    rows = [f'<th scope="row">{escape(titles.get(path, path))}</th>{_cells(trials, path)}' for path in paths]
    rows.append('<th scope="row">tried</th>' + "".join(f"<td>{escape(trial.date[:10])}</td>" for trial in trials))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    failed = [
        f"<li>{escape(trial.packages[0][1])}, {escape(titles.get(page.page, page.page))}: {_brief(page.error)}</li>"
        for trial in trials
        for page in trial.pages
        if page.error
    ]
    said = f"<p>What failed:</p><ul>{''.join(failed)}</ul>" if failed else ""
    shown = f"<table><thead><tr><td></td>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="codeout-trials">{shown}{said}</div>'


def _versions(trial: CompatResult) -> str:
    """Return the version of the first package; the others', and Python's, where one points at it."""
    (_, first), *others = trial.packages
    more = ", ".join(f"{name} {version}" for name, version in [*others, ("Python", trial.python)])
    return f'<span title="{escape(more)}">{escape(first)}</span>'


def _cells(trials: Sequence[CompatResult], path: str) -> str:
    pages = ({each.page: each for each in trial.pages}.get(path) for trial in trials)
    return "".join(f"<td>{_words(page) if page else ''}</td>" for page in pages)


def _words(page: PageResult) -> str:
    if page.error:
        return '<strong class="codeout-bad">fails</strong>'
    return f"{len(page.drifted)} of {page.blocks} differ" if page.drifted else "runs"


def _brief(error: str) -> str:
    return f"<code>{escape(shorten(error, LONGEST, placeholder=' …'))}</code>"
