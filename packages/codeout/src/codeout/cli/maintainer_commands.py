"""Commands for maintainers: decide whether to publish, accept recordings, split work, compare outputs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codeout.cli.options import FILE, FOLDER, POSITIVE, command, json_option, pages_argument, pass_site, print_json
from codeout.errors import CodeoutError

if TYPE_CHECKING:
    from codeout.cli.options import CommandSite, Paths


@command()
@pass_site
def ready(site: CommandSite) -> int:
    """Check whether the site is ready to publish.

    A site is ready if every block is up to date, no output is based on placeholder data, and no recording is missing
    or too old. Otherwise, each problem is listed with its page and line.

    Exit status: 0 if the site is ready, 1 if it is not.
    """
    from codeout.publish.readiness import check_readiness
    from codeout.recordings.read import Recordings

    lookup = site.prepared_lookup()
    readiness = check_readiness(lookup, Recordings(lookup), site.blocks([]), datetime.now(UTC))
    counts = f"{readiness.blocks} blocks are up to date, {readiness.recordings} recordings"
    if readiness.partly_observed:
        counts += f"; of {readiness.partly_observed} blocks, Python's own reads were observed alone"
    print("\n".join(readiness.problems) or f"{counts}; ready to publish")
    return int(bool(readiness.problems))


@command("codeout accept downloaded/.codeout")
@click.argument("folder", type=FOLDER)
@pass_site
def accept(site: CommandSite, folder: Path) -> None:
    """Validate runs from another machine, and store them as recordings.

    FOLDER is the build cache of that machine. Its content is treated as untrusted input: if any file fails validation,
    nothing is stored. HTML, Markdown and LaTeX outputs are left out.
    """
    from codeout.cache.environment import detect_device
    from codeout.recordings.accept import accept_folder

    recordings = accept_folder(site.prepared_lookup(), site.blocks([]), folder)
    for recording in recordings:
        omission = f", without its {', '.join(recording.left_out)}" if recording.left_out else ""
        print(f"{recording.entry.name}: {recording.run.provenance.device}{omission}")
    reason = "" if recordings else f"; {folder} has no runs from a device other than {detect_device()}"
    print(f"stored {len(recordings)} recordings in {site.config.recordings}{reason}")


@command("codeout plan --shards 4 --json > plan.json", "codeout plan --shards 3 --gpus 1")
@pages_argument
@click.option("--shards", type=POSITIVE, required=True, metavar="N", help="Number of machines without a GPU.")
@click.option(
    "--gpus",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Number of machines with a GPU.",
)
@json_option
@pass_site
def plan(site: CommandSite, pages: Paths, shards: int, gpus: int, as_json: bool) -> None:
    """Split the stale sessions across machines.

    The longest sessions are assigned first, each to the machine with the least work. Run one shard on each machine
    with `codeout run --plan FILE --shard N`; then copy the caches of all machines into one folder.
    """
    from codeout.publish.shards import plan_shards

    planned_shards = plan_shards(site.prepared_lookup(), site.blocks(pages), shards, gpus)
    if as_json:
        print_json({"shards": planned_shards}, indent=None)
        return
    for number, shard in enumerate(planned_shards, start=1):
        print(f"shard {number}, {shard.device}, about {shard.seconds:.0f} s: {', '.join(shard.sessions) or 'nothing'}")


@command("codeout diff published .codeout", "codeout diff published .codeout --html drift.html")
@click.argument("old", type=FOLDER)
@click.argument("new", type=FOLDER)
@click.option(
    "--tolerance", type=click.FloatRange(min=0), metavar="X", help="Relative change to ignore.  [default: 0.0001]"
)
@click.option("--html", type=FILE, metavar="FILE", help="Also write a web page that shows old and new side by side.")
@json_option
def diff(old: Path, new: Path, tolerance: float | None, html: Path | None, as_json: bool) -> int:
    """Compare the outputs of two caches.

    OLD and NEW are build caches or folders of recordings. Differences in times, dates, memory addresses and paths are
    ignored, and so are numbers within the tolerance. The report is Markdown.

    The exit status is that of diff(1): 0 if the outputs agree, 1 if they differ, 2 if they cannot be compared.
    """
    from codeout.compare.runs import TOLERANCE, compare, report
    from codeout.publish.drift import drift_page, load_runs

    try:
        runs = load_runs(old), load_runs(new)
        differences = compare(*runs, TOLERANCE if tolerance is None else tolerance)
        if html:
            html.write_text(drift_page(differences, *runs), encoding="utf8")
    except CodeoutError as problem:
        click.echo(problem, err=True)
        return 2  # as diff(1) when it cannot compare
    if as_json:
        print_json(differences)
    else:
        print(report(differences, *runs), end="")
    return int(any(difference.kind != "added" for difference in differences))


@command("codeout compat -o recordings/compat/torch-2.6.0.json --against published")
@click.option("-o", "--output", type=FILE, required=True, help="JSON file to write.")
@click.option("--against", type=FOLDER, help="Build cache to compare the outputs with.")
@pass_site
def compat(site: CommandSite, output: Path, against: Path | None) -> int:
    """Test all pages with the installed package versions.

    Each page runs separately. The result lists the pages that fail and the outputs that differ. A site can show the
    results for several versions in a table.

    Exit status: 0 if all pages run, 1 if one fails.
    """
    from codeout.publish.compat import run_pages, write_result
    from codeout.publish.drift import load_runs
    from codeout.run.engine import Engine

    date = datetime.now(UTC).isoformat(timespec="seconds")
    result = run_pages(Engine(site.config), site.blocks([]), load_runs(against) if against else {}, date)
    write_result(result, output)
    for page in result.pages:
        print(f"{page.page}: {page.error or f'runs; {len(page.drifted)} of {page.blocks} outputs differ'}")
    return int(any(page.error for page in result.pages))


COMMANDS = (ready, accept, plan, diff, compat)
