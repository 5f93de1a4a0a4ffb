"""Commands to start with: set up a site, and bring in notebooks and scripts."""

from __future__ import annotations

from pathlib import Path

import click

from codeout.cli.options import examples
from codeout.errors import PageError

EXISTING = click.Path(exists=True, path_type=Path)


@click.command()
@click.pass_obj
def init(config_file: Path | None) -> None:
    """Add to mkdocs.yml what codeout needs.

    Everything else in the file stays as it is, comments included. A first page is created if there is none.
    """
    from codeout.importers.settings import add_settings
    from codeout.mkdocs.loader import find_config_file

    file = config_file or find_config_file(Path())
    try:
        text, added = add_settings(file.read_text(encoding="utf8"))
    except ValueError as problem:
        raise PageError(f"{file}:1: {problem}") from problem
    if not added:
        click.echo(f"{file} has what codeout needs")
        return
    file.write_text(text, encoding="utf8")
    (file.parent / "snippets").mkdir(exist_ok=True)
    click.echo(f"{file}: added")
    for line in added:
        click.echo(f"    {line}")
    click.echo('Next: write a fence with ```python exec="on" source="above" on a page, and run `mkdocs serve`.')


@click.command(
    "import",
    epilog=examples(
        {
            "codeout import intro.ipynb": "docs/intro.md and snippets/intro.py",
            "codeout import notebooks/": "all notebooks in a folder",
            "codeout import plot_digits.py": "a script of sphinx-gallery",
        }
    ),
)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=EXISTING)
@click.option("--docs", type=click.Path(path_type=Path), default="docs", show_default=True, help="Folder of the pages.")
@click.option(
    "--snippets", type=click.Path(path_type=Path), default="snippets", show_default=True, help="Folder of the snippets."
)
@click.option("--force", is_flag=True, help="Overwrite files.")
def import_sources(sources: tuple[Path, ...], docs: Path, snippets: Path, force: bool) -> None:
    """Turn notebooks and scripts into pages.

    SOURCE is a notebook (.ipynb), a script with `# %%` between its cells, a script of sphinx-gallery, or a folder of
    them. Each becomes a page and a snippet with one section for each cell. Saved outputs are left out: the site makes
    its own.
    """
    from codeout.importers.files import find_sources, import_file

    found = find_sources(sources)
    if not found:
        raise PageError(f"{sources[0]}:1: no notebooks or scripts there")
    pages = [import_file(source, folder, docs, snippets, force=force) for source, folder in found]
    for page in pages:
        click.echo(f"{page.source} → {page.page} ({page.blocks} blocks)")
        for note in page.notes:
            click.echo(f"    {note}")
    click.echo("\nFor `nav` in mkdocs.yml:")
    for page in pages:
        click.echo(f"  - {page.page.relative_to(docs).as_posix()}")
    click.echo("\nAfter the first build, `codeout numbers` lists numbers in the text that the outputs do not have.")


COMMANDS = (init, import_sources)
