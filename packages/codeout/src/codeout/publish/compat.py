"""Which pages run with which versions of the packages that they teach: as JSON, and as a table for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated

import msgspec

from codeout.cache.files import read_json
from codeout.config import Config
from codeout.errors import CodeoutError, PageError
from codeout.model.blocks import Block, block_names, group_by_page
from codeout.model.outputs import Run

if TYPE_CHECKING:
    from codeout.run.engine import Engine

FOLDER = "compat"
"""Of the results, inside the folder of recordings."""
MAX_BYTES = 4_000_000

Word = Annotated[str, msgspec.Meta(max_length=100)]
Packages = tuple[tuple[Word, Word], ...]
"""Names and versions."""


class PageResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a page ran with some versions."""

    page: str
    """Its path."""
    blocks: int
    error: str
    """The first line of what went wrong; empty if all blocks ran."""
    drifted: tuple[str, ...]
    """Names of the blocks whose outputs differ from those of the site."""


class CompatResult(msgspec.Struct, frozen=True, kw_only=True):
    """How all pages ran with the versions that were installed."""

    packages: Annotated[Packages, msgspec.Meta(min_length=1)]
    """Those that the setting `packages` names."""
    python: str
    device: str
    date: str
    """ISO 8601."""
    pages: tuple[PageResult, ...]


_decoder = msgspec.json.Decoder(CompatResult)


def run_pages(engine: Engine, blocks: Sequence[Block], published_runs: Mapping[str, Run], date: str) -> CompatResult:
    """Run each page by itself with the installed versions, and compare its outputs with the published ones.

    Those go by the names of their blocks; the date is ISO 8601.
    """
    from codeout.cache.environment import read_environment  # here, since a build that shows the table runs nothing

    pages = tuple(_run_page(engine, page, published_runs) for page in group_by_page(blocks).values())
    environment = read_environment(engine.config, engine.lookup.inputs.packages)
    return CompatResult(
        packages=environment.packages, python=environment.python, device=environment.device, date=date, pages=pages
    )


def _run_page(engine: Engine, page: Sequence[Block], published_runs: Mapping[str, Run]) -> PageResult:
    from codeout.compare.runs import compare

    path = page[0].place.path
    try:
        runs = engine.run(page)
    except CodeoutError as problem:
        return PageResult(page=path, blocks=len(page), error=str(problem).splitlines()[0], drifted=())
    new = dict(zip(block_names(page), runs, strict=True))
    old = {name: run for name, run in published_runs.items() if name in new}
    drifted_blocks = tuple(difference.block for difference in compare(old, new) if difference.kind == "changed")
    return PageResult(page=path, blocks=len(page), error="", drifted=drifted_blocks)


def write_result(result: CompatResult, path: Path) -> None:
    """Write a result as JSON.

    Raises:
        OSError: the disk is full or read-only.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")


def read_result(path: Path) -> CompatResult:
    """Return the result that `write_result` wrote.

    Raises:
        PageError: it did not write this.
    """
    try:
        return read_json(path, _decoder, MAX_BYTES)
    except (OSError, ValueError) as problem:
        raise PageError(f"{path}:1: not a result of `codeout compat`; regenerate or delete it") from problem


def read_results(config: Config) -> list[CompatResult]:
    """Return the results among the recordings: the newest of each set of versions, in the order of the versions.

    Raises:
        PageError: a file is not a result.
    """
    newest: dict[Packages, CompatResult] = {}
    for path in sorted((config.path(config.recordings) / FOLDER).glob("*.json")):
        result = read_result(path)
        if result.packages not in newest or newest[result.packages].date < result.date:
            newest[result.packages] = result
    return sorted(newest.values(), key=lambda result: [_version_parts(version) for _, version in result.packages])


def _version_parts(version: str) -> list[tuple[int, str]]:
    """Return what orders versions: their numbers as numbers."""
    parts = version.replace("+", ".").replace("-", ".").split(".")
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def table(results: Sequence[CompatResult], titles: Mapping[str, str]) -> str:
    """Return an HTML table with a column for each result and a row for each page; below, what failed."""
    if not results:
        return '<p class="codeout-compat">Not tested with other versions yet.</p>'
    paths = dict.fromkeys(page.page for result in results for page in result.pages)
    heads = "".join(f'<th scope="col">{_versions(result)}</th>' for result in results)
    rows = [f'<th scope="row">{escape(titles.get(path, path))}</th>{_cells(results, path)}' for path in paths]
    rows.append('<th scope="row">date</th>' + "".join(f"<td>{escape(result.date[:10])}</td>" for result in results))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    failed_pages = ((result, page) for result in results for page in result.pages if page.error)
    failures = "".join(_failure(result, page, titles.get(page.page, page.page)) for result, page in failed_pages)
    notes = f"<p>Failures:</p><ul>{failures}</ul>" if failures else ""
    content = f"<table><thead><tr><td></td>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="codeout-compat">{content}{notes}</div>'


def _versions(result: CompatResult) -> str:
    """Return the version of the first package, with the other versions as its title."""
    (_, first), *others = result.packages
    title = ", ".join(f"{name} {version}" for name, version in [*others, ("Python", result.python)])
    return f'<span title="{escape(title)}">{escape(first)}</span>'


def _cells(results: Sequence[CompatResult], path: str) -> str:
    pages = ({page.page: page for page in result.pages}.get(path) for result in results)
    return "".join(f"<td>{_cell(page) if page else ''}</td>" for page in pages)


def _cell(page: PageResult) -> str:
    if page.error:
        return '<strong class="codeout-bad">fails</strong>'
    return f"{len(page.drifted)} of {page.blocks} differ" if page.drifted else "runs"


def _failure(result: CompatResult, page: PageResult, title: str) -> str:
    error = escape(shorten(page.error, 240, placeholder=" …"))
    return f"<li>{escape(result.packages[0][1])}, {escape(title)}: <code>{error}</code></li>"
