"""Options and arguments that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]

POSITIVE = click.IntRange(min=1)
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)

pages_argument = click.argument("pages", nargs=-1, type=click.Path(path_type=Path), metavar="[PAGE]...")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def print_json(value: object, indent: int | None = 1) -> None:
    """Print rows, or whatever else JSON can hold."""
    import msgspec  # on use, like all of the engine: the command line answers `--help` at once

    print(json.dumps(msgspec.to_builtins(value), indent=indent))


def examples(commands: Mapping[str, str]) -> str:
    """Return the end of a help text: a line for each example, with what it does."""
    keep_lines = "\b"  # for click, which otherwise fills a paragraph
    width = max(map(len, commands)) + 2
    lines = [f"  {command:{width}}{meaning}".rstrip() for command, meaning in commands.items()]
    return "\n".join([keep_lines, "Examples:" if len(lines) > 1 else "Example:", *lines])


def pass_site(command: Command) -> Command:
    """Call a command with the site that `--config-file` names as its first argument."""

    @click.pass_obj
    @wraps(command)
    def with_site(config_file: Path | None, /, **options: Any) -> Any:
        from codeout.cli.site import CommandSite

        return command(CommandSite(config_file), **options)

    return with_site
