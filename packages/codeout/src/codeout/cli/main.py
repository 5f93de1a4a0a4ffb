"""Door 3: the command line. Reads `mkdocs.yml` itself, so that a machine without a site generator can run blocks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from codeout.cli import authors as commands
from codeout.cli import maintainers as publishing
from codeout.cli.site import SiteConfig
from codeout.compare.runs import TOLERANCE
from codeout.errors import CodeoutError

RAW = argparse.RawDescriptionHelpFormatter
Parser = argparse.ArgumentParser

EXAMPLES = """examples:
  codeout run                         run what is stale, on all pages
  codeout run docs/autograd.md        ... on one page
  codeout watch docs/autograd.md      run what an edit makes stale, at each save, and print it
  codeout status --json               every block: hit or stale, seconds, device, size
  codeout why                         every block: hit, or what has changed since it ran
  codeout numbers                     numbers typed in prose that no block near them has
  codeout diff old/.codeout .codeout  what differs between two stores by more than noise, as Markdown
  codeout export --to py -o scripts   each page as a script; with --to ipynb as a notebook with its outputs
  codeout clean                       remove from the store what no page needs any more
  codeout ready                       whether the site may be published, and if not, why
  codeout accept downloaded           check runs that another machine has made, and keep them as recordings
  codeout plan --shards 4 --json      share the stale sessions out between four machines
  codeout run --plan plan.json --shard 2
                                      ... and run the second share
  codeout tried -o FILE               run all pages with what is installed; write down which ran, and what drifted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0, or 1 if a block or a page is at fault (of `diff`: 2, as of `diff(1)`)."""
    asked = _parser().parse_args(arguments)
    try:
        site = None if asked.carry_out is publishing.diff else SiteConfig(asked.config_file)
        code: int = asked.carry_out(site, asked)
        return code
    except CodeoutError as problem:
        print(problem, file=sys.stderr)
        return 2 if asked.carry_out is publishing.diff else 1


def _parser() -> argparse.ArgumentParser:
    about = "The code blocks of a MkDocs site, run, with outputs that cannot go stale."
    parser = argparse.ArgumentParser("codeout", description=about, epilog=EXAMPLES, formatter_class=RAW)
    parser.add_argument("-f", "--config-file", type=Path, default=Path("mkdocs.yml"), help="default: mkdocs.yml")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(carry_out: Callable[..., int], words: str, *, pages: bool = True, as_json: bool = False) -> Parser:
        name = carry_out.__name__
        examples = "".join(f"{line}\n" for line in EXAMPLES.splitlines() if f"codeout {name}" in line)
        epilog = f"examples:\n{examples}"
        added = subparsers.add_parser(name, help=words, description=words, epilog=epilog, formatter_class=RAW)
        added.set_defaults(carry_out=carry_out)
        if pages:
            added.add_argument("pages", nargs="*", type=Path, help="Markdown files; default: all of the site")
        if as_json:
            added.add_argument("--json", action="store_true", help="for scripts")
        return added

    _for_authors(add)
    _for_maintainers(add)
    return parser


def _for_authors(add: Callable[..., Parser]) -> None:
    run = add(commands.run, "Run what is stale.")
    run.add_argument("--gpu", action="store_true", help="only sessions that use a GPU, by the setting `gpu`")
    run.add_argument("--plan", type=Path, help="only sessions of one share of a plan (`codeout plan --json`)")
    run.add_argument("--shard", type=_positive, help="which share of the plan, from 1")
    add(commands.watch, "Run what an edit makes stale, at each save, and print what came out.")
    add(commands.status, "Say of every block whether it is stale.", as_json=True)
    add(commands.why, "Say of every block why it is stale.", as_json=True)
    add(commands.numbers, "List numbers typed in prose that no block near them has.", as_json=True)
    export = add(commands.export, "Write pages as notebooks with their outputs, or as scripts.")
    export.add_argument("--to", choices=("ipynb", "py"), default="ipynb", help="default: ipynb")
    export.add_argument("-o", "--output", type=Path, default=Path("notebooks"), help="a folder (default: notebooks)")
    add(commands.clean, "Remove from the store what no page needs any more.", pages=False)


def _for_maintainers(add: Callable[..., Parser]) -> None:
    diff = add(
        publishing.diff,
        "Say what differs between two stores; 1 if anything does, 2 if that can't be said.",
        pages=False,
        as_json=True,
    )
    diff.add_argument("old", type=Path, help="a folder of runs: a store, or recordings")
    diff.add_argument("new", type=Path, help="likewise")
    diff.add_argument("--tolerance", type=float, default=TOLERANCE, help="how far numbers may move (%(default)g)")
    diff.add_argument("--html", type=Path, metavar="FILE", help="write a page to look at, too: old beside new")
    add(publishing.ready, "Say whether the site may be published; 1 if not, and why not.", pages=False)
    accept = add(publishing.accept, "Check runs that another machine has made; keep them as recordings.", pages=False)
    accept.add_argument("folder", type=Path, help="of the format of a store; nothing in it is trusted")
    plan = add(publishing.plan, "Share the stale sessions out between machines.", as_json=True)
    plan.add_argument("--shards", type=_positive, required=True, metavar="N", help="machines without a GPU")
    plan.add_argument("--gpus", type=int, default=0, metavar="N", help="machines with one (default: none)")
    tried = add(publishing.tried, "Run all pages with what is installed; write down which ran.", pages=False)
    tried.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="JSON to write")
    tried.add_argument("--against", type=Path, metavar="FOLDER", help="a store: what its outputs drift from")


def _positive(word: str) -> int:
    if not word.isdigit() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"takes a whole number from 1, not {word!r}")
    return int(word)


if __name__ == "__main__":
    sys.exit(main())
