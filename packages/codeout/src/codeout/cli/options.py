"""What commands share: their options and arguments, and the site that they work on, as its generator sees it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from codeout.cache.build_record import RecordedPage
    from codeout.cache.lookup import Lookup
    from codeout.model.blocks import Block

Function = Callable[..., Any]
Paths = tuple[Path, ...]

POSITIVE = click.IntRange(min=1)
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)

pages_argument = click.argument("pages", nargs=-1, type=click.Path(path_type=Path), metavar="[PAGE]...")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def print_json(value: object, indent: int | None = 1) -> None:
    """Print rows, or whatever else JSON can hold."""
    import msgspec  # on use, like all of the engine: the command line answers `--help` at once

    print(json.dumps(msgspec.to_builtins(value), indent=indent))


def print_report(rows: object, lines: Iterable[str], *, as_json: bool) -> None:
    """Print rows as JSON, or in lines."""
    if as_json:
        print_json(rows)
    else:
        print("".join(f"{line}\n" for line in lines), end="")


def command(*lines: str, name: str | None = None) -> Callable[[Function], click.Command]:
    """Make a function a command, whose help text may end in examples."""
    return click.command(name, epilog=examples(*lines) if lines else None)


def examples(*lines: str) -> str:
    """Return the end of a help text: examples, each of which may say what it does, behind `  # `."""
    rows = [line.partition("  # ") for line in lines]
    width = max(len(example) for example, _, _ in rows) + 2
    texts = [f"  {example:{width}}{meaning}".rstrip() for example, _, meaning in rows]
    # click fills paragraphs, but for one that begins with "\b"
    return "\n".join(["\b", "Examples:" if len(lines) > 1 else "Example:", *texts])


def pass_site(function: Function) -> Function:
    """Call a command with the site that `--config-file` names as its first argument."""

    @click.pass_obj
    @wraps(function)
    def with_site(config_file: Path | None, /, **options: Any) -> Any:
        return function(CommandSite(config_file), **options)

    return with_site


class CommandSite:
    """A site: its settings, and the blocks of its pages as they are now."""

    def __init__(self, config_file: Path | None) -> None:
        """Load the site of a configuration file, or of the one in the current folder, and fail as `reload` does."""
        from codeout.mkdocs.loader import find_config_file

        self._file = config_file or find_config_file(Path())
        self.reload()

    def reload(self) -> CommandSite:
        """Load the site again, after its files have changed; return it.

        Raises:
            PageError: there is none, or it or a page has a mistake.
        """
        from codeout.mkdocs.loader import load_site  # on use: `codeout --help` answers at once

        site = load_site(self._file)
        self.config, self.url, self._pages = site.config, site.url, site.pages
        return self

    def prepared_lookup(self) -> Lookup:
        """Return the look-up of the site, once the data that its blocks need is there.

        Raises:
            PageError: the script that prepares them failed.
        """
        from codeout.cache.lookup import Lookup
        from codeout.run.prepare import Preparation

        Preparation(self.config).wait()
        return Lookup(self.config)

    def pages(self, paths: Sequence[Path]) -> list[RecordedPage]:
        """Return the pages at these paths, or all, if there are blocks on them.

        Raises:
            PageError: a path is not that of a page with blocks.
        """
        from codeout.errors import PageError, suggest

        if not paths:
            return list(self._pages)
        by_path = {page.path: page for page in self._pages}
        selected_pages = []
        for path in paths:
            name = Path(os.path.relpath(path.resolve(), self.config.root.resolve())).as_posix()
            if name not in by_path:
                raise PageError(f"{path}:1: not a page with blocks{suggest(name, by_path)}")
            selected_pages.append(by_path[name])
        return selected_pages

    def blocks(self, paths: Sequence[Path]) -> list[Block]:
        """Return the blocks of the pages at these paths, or of all, and fail as `pages` does."""
        return [block for page in self.pages(paths) for block in page.blocks]
