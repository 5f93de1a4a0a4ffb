"""Commands for authors: run blocks, see what is stale and why, export pages."""

from __future__ import annotations

import contextlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codeout.cli.options import FILE, FOLDER, POSITIVE, command, json_option, pages_argument, pass_site, print_report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codeout.cli.options import CommandSite, Paths
    from codeout.model.blocks import Block
    from codeout.run.engine import Engine


@command(
    "codeout run  # all pages",
    "codeout run docs/autograd.md  # one page",
    "codeout run --gpu  # only sessions that use a GPU",
    "codeout run --failed  # also blocks whose last run failed",
    "codeout run --plan plan.json --shard 2  # the second shard of a plan",
)
@pages_argument
@click.option("--gpu", is_flag=True, help="Run only sessions that match the setting `gpu`.")
@click.option("--failed", is_flag=True, help="Also rerun blocks whose last run failed (with `errors: show`).")
@click.option("--plan", type=FILE, help="Run only one shard of this plan (see `codeout plan`).")
@click.option("--shard", type=POSITIVE, metavar="N", help="Number of the shard, from 1.")
@pass_site
def run(site: CommandSite, pages: Paths, gpu: bool, failed: bool, plan: Path | None, shard: int | None) -> None:
    """Run stale blocks.

    Several sessions run at the same time. Their outputs are stored in the build cache, where `mkdocs build` finds
    them. PAGE is a Markdown file; by default, all pages of the site are run.
    """
    from codeout.model.blocks import select_blocks
    from codeout.publish.shards import select_shard
    from codeout.run.engine import Engine

    _log_to_terminal()
    if (plan is None) != (shard is None):
        raise click.UsageError("--plan and --shard must be used together")

    def load_blocks() -> list[Block]:
        blocks = site.blocks(pages)
        if plan and shard:
            blocks = select_shard(blocks, plan, shard)
        return select_blocks(blocks, site.config.gpu) if gpu else blocks

    count = _run_blocks(site, Engine(site.config, retry_failed=failed), load_blocks)
    print(f"{count} blocks are up to date")


@command("codeout watch  # all pages", "codeout watch docs/autograd.md  # one page")
@pages_argument
@pass_site
def watch(site: CommandSite, pages: Paths) -> None:
    """Rerun stale blocks at each save, and print their outputs.

    An edit resumes from a checkpoint of the block above it where possible. No browser is needed. Press Ctrl-C to stop.
    """
    import msgspec

    from codeout.run.engine import Engine
    from codeout.run.live import watch as watch_files

    _log_to_terminal()
    engine = Engine(msgspec.structs.replace(site.config, checkpoints=True, errors="show"))
    with contextlib.suppress(KeyboardInterrupt), contextlib.closing(engine):
        watch_files(lambda: site.reload().blocks(pages), engine, lambda message: print(message, flush=True))


@command("codeout status", "codeout status --json | jq '.blocks[] | select(.state == \"stale\") | .block'")
@pages_argument
@json_option
@pass_site
def status(site: CommandSite, pages: Paths, as_json: bool) -> None:
    """Show whether each block is up to date.

    A block with cached outputs is a "hit"; its run time, its size on disk and its device are shown as well. The list
    of sessions at the end shows how each of them resumes after an edit: from a checkpoint, or by running again from
    its first block. The last line is about the processes that have imported packages ahead of the sessions.
    """
    from codeout.cache.lookup import Lookup
    from codeout.cache.status import BlockStatus, block_statuses, resume_modes
    from codeout.cache.timings import load_base_size

    def line(row: BlockStatus) -> str:
        if row.seconds is None or row.bytes is None:
            return f"{row.state:5}  {row.block}"
        return f"{row.state:5}  {row.block}  {row.seconds:8.3f} s  {row.bytes / 1000:8.1f} kB  {row.device}"

    lookup, blocks = Lookup(site.config), site.blocks(pages)
    rows = list(block_statuses(lookup, blocks))
    resumes = resume_modes(lookup.cache.timings.load_all(), blocks)
    count = f"{_count_stale([row.state == 'stale' for row in rows])}\n"
    lines = [*map(line, rows), count, *(f"{name}: {mode}" for name, mode in resumes.items())]
    size = load_base_size(site.config)
    lines += [str(size)] if size else []
    print_report({"blocks": rows, "resumes": resumes, "base": size}, lines, as_json=as_json)


@command("codeout why", "codeout why docs/autograd.md")
@pages_argument
@json_option
@pass_site
def why(site: CommandSite, pages: Paths, as_json: bool) -> None:
    """Show why each block is stale.

    For each stale block, the output names what changed since its last run: its code, the code above it, a file, a
    package, or the machine. With --json, a block that is up to date is listed as "hit".
    """
    from codeout.cache.lookup import Lookup
    from codeout.cache.status import block_reasons

    rows = list(block_reasons(Lookup(site.config), site.blocks(pages)))
    reasons = [f"{row.block}: {'; '.join(row.why)}" for row in rows if row.is_stale]
    print_report(rows, [*reasons, _count_stale([row.is_stale for row in rows])], as_json=as_json)


def _count_stale(are_stale: Sequence[bool]) -> str:
    return f"{sum(are_stale)} of {len(are_stale)} blocks are stale"


@command("codeout inputs docs/autograd.md")
@pages_argument
@json_option
@pass_site
def inputs(site: CommandSite, pages: Paths, as_json: bool) -> None:
    """List what each block read when it last ran.

    A block runs again when any of it changes: files, folders, modules, packages, programs, environment variables, and
    what was looked for and not found. What the blocks above it had read already is listed there. What code below Python
    reads, such as a C library, is not seen: name such files in the setting `data`.
    """
    from codeout.cache.lookup import Lookup
    from codeout.cache.status import block_inputs

    rows = list(block_inputs(Lookup(site.config), site.blocks(pages)))
    print_report(rows, ("\n    ".join([f"{row.block}:", *row.inputs]) for row in rows), as_json=as_json)


@command("codeout numbers", "codeout numbers docs/training.md")
@pages_argument
@json_option
@pass_site
def numbers(site: CommandSite, pages: Paths, as_json: bool) -> None:
    """List hard-coded numbers that match no nearby code or output.

    Each number in the text of a page is compared with the code and the outputs of the blocks directly above and below
    it. Correct the numbers that are listed, or replace them with values of the page, such as {accuracy:.1%}.
    """
    from codeout.model.blocks import group_by_page
    from codeout.model.prose import hardcoded_numbers
    from codeout.run.engine import Engine

    engine = Engine(site.config)
    numbers = [
        number
        for path, blocks in group_by_page(site.blocks(pages)).items()
        for number in hardcoded_numbers(site.config.path(path).read_text("utf8"), path, blocks, engine.run(blocks))
    ]
    print_report(numbers, (f"{each.place}: {each.number}: {each.line}" for each in numbers), as_json=as_json)


@command(
    "codeout export  # notebooks of all pages", "codeout export docs/autograd.md --to py -o out  # a script of one page"
)
@pages_argument
@click.option(
    "--to", "kind", type=click.Choice(["ipynb", "py", "md"]), default="ipynb", show_default=True, help="Format."
)
@click.option("-o", "--output", type=FOLDER, default=Path("notebooks"), show_default=True, help="Folder to write to.")
@pass_site
def export(site: CommandSite, pages: Paths, kind: str, output: Path) -> None:
    """Write pages as notebooks or Markdown with outputs, or as scripts.

    Stale blocks are run first. Notebooks and scripts bring the modules of the site that they import.
    """
    from codeout.render.export import content, export_path, make_page
    from codeout.render.notebook import validated
    from codeout.run.engine import Engine

    engine = Engine(site.config)
    _run_blocks(site, engine, lambda: site.blocks(pages))
    for source in site.pages(pages):
        page = make_page(source.text, source.blocks, engine.run(source.blocks), site.config, site.url)
        target = output / export_path(page, kind, site.config.docs_dir)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = content(page, kind)
        target.write_text(validated(text) if kind == "ipynb" else text, encoding="utf8")
        print(target)


@command()
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
@pass_site
def clean(site: CommandSite, dry_run: bool) -> None:
    """Remove unused results from the cache.

    A result is unused if no block of the site has its code any more, and the last build did not use it. Results from
    other devices and Python versions are kept, and so is everything that codeout has not written.
    """
    from codeout.cache.lookup import Lookup
    from codeout.cache.status import cache_errors, remove_runs, unused_runs
    from codeout.render.export import Exports

    lookup = Lookup(site.config)
    files = unused_runs(lookup, site.blocks([]))
    total = len(lookup.cache.paths())
    for path in files:
        print(path)
    if not dry_run:
        remove_runs(lookup, files)
        with cache_errors():
            Exports(site.config).remove_all()  # the next build writes them again
    print(f"{'would remove' if dry_run else 'removed'} {len(files)} runs, {total - len(files)} remain")


def _run_blocks(site: CommandSite, engine: Engine, select: Callable[[], list[Block]]) -> int:
    """Run blocks, and then those in the Markdown that they have printed; return how many are up to date."""
    blocks: list[Block] = []
    while (new_blocks := select()) != blocks:
        blocks = new_blocks
        engine.run(blocks)
        if all(block.shows_source for block in blocks):
            break
        site.reload()
    return len(blocks)


def _log_to_terminal() -> None:
    from codeout.errors import log

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)


COMMANDS = (run, watch, status, why, inputs, numbers, export, clean)
