"""The entry point `codeout`: its options, its sections of commands, and how it reports errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from codeout.cli import author_commands, maintainer_commands, starting_commands
from codeout.cli.options import FILE, examples
from codeout.errors import CodeoutError

SECTIONS = {
    "Commands to start with": starting_commands.COMMANDS,
    "Commands for authors": author_commands.COMMANDS,
    "Commands for maintainers": maintainer_commands.COMMANDS,
}

EXAMPLES = examples(
    "codeout init  # add to mkdocs.yml what codeout needs",
    "codeout import intro.ipynb  # turn a notebook into a page",
    "codeout run  # run all stale blocks of the site",
    "codeout run docs/autograd.md  # run those of one page",
    "codeout watch docs/autograd.md  # rerun them at each save",
    "codeout why  # show why blocks are stale",
    "codeout COMMAND --help  # show the options of a command",
)


class SectionedGroup(click.Group):
    """A group whose help lists its commands under headings, in the order in which they are used."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one list of commands for each section."""
        limit = formatter.width - 6 - max(map(len, self.commands))
        for heading, commands in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(command.name or "", command.get_short_help_str(limit)) for command in commands])


@click.group(cls=SectionedGroup, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-f",
    "--config-file",
    type=FILE,
    help="Site configuration.  [default: mkdocs.yml, mkdocs.yaml or properdocs.yml in the current folder]",
)
@click.version_option(package_name="codeout", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, config_file: Path | None) -> None:
    """Run the Python blocks of a MkDocs site, and manage their cached outputs.

    Commands load the site the way its generator does, plugins included.
    """
    context.obj = config_file


for _section in SECTIONS.values():
    for _command in _section:
        cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, 1 if a block or page is at fault, 2 if the command was misused."""
    try:
        status = cli.main(arguments, prog_name="codeout", standalone_mode=False) or 0
        sys.stdout.flush()  # here, where a reader that has gone (`codeout status | head`) can still be handled
    except CodeoutError as problem:
        print(problem, file=sys.stderr)
        return 1
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    except click.Abort:
        return 130  # as a shell reports a program that Ctrl-C ended
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's own flush at exit succeeds
        return 1
    return int(status)
