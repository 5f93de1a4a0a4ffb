"""Commands to start with: set up a site, and bring in notebooks and scripts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from codeout.cli.options import Paths, command
from codeout.errors import CodeoutError, PageError

EXTENSIONS = {
    "pymdownx.superfences": "pymdownx.superfences",
    "pymdownx.highlight": "pymdownx.highlight",
    "pymdownx.snippets": "pymdownx.snippets: {base_path: [snippets], check_paths: true}",
    "pymdownx.tabbed": "pymdownx.tabbed: {alternate_style: true}",
    "codeout": "codeout  # runs the blocks",
}
PLUGINS = {"codeout": "codeout", "markdown-exec": "markdown-exec"}
ITEM = re.compile(r"^(\s*)- *[\"']?([\w.-]+)")
FIRST_PAGE = """# First page

```python exec="on" source="above" session="first"
squares = [n * n for n in range(5)]
squares
```

Blocks with the same `session` share their variables:

```python exec="on" source="above" session="first"
print(sum(squares))
```
"""


@command()
@click.pass_obj
def init(config_file: Path | None) -> None:
    """Add to mkdocs.yml what codeout needs.

    Everything else in the file stays as it is, comments included. A first page with two blocks is created if the site
    has no pages.
    """
    from codeout.mkdocs.loader import find_config_file

    file = config_file or find_config_file(Path())
    try:
        text, new_lines = add_settings(file.read_text(encoding="utf8"))
    except NotAListError as problem:
        raise PageError(f"{file}:{problem.line}: {problem}") from problem
    if not new_lines:
        click.echo(f"{file} has what codeout needs")
        return
    file.write_text(text, encoding="utf8")
    click.echo("\n    ".join([f"{file}: added", *new_lines]))
    snippets, page = file.parent / "snippets", file.parent / _docs_dir(text) / "index.md"
    if not snippets.is_dir():
        snippets.mkdir()
        click.echo(f"{snippets}: a folder for scripts whose parts pages include")
    if not page.parent.is_dir() or not any(page.parent.rglob("*.md")):
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(FIRST_PAGE, encoding="utf8")
        click.echo(f"{page}: a first page")
    click.echo('Next: `mkdocs serve`. A fence with ```python exec="on" source="above" session="NAME" runs.')


@command(
    "codeout import intro.ipynb  # docs/intro.md and snippets/intro.py",
    "codeout import notebooks/  # all notebooks in a folder",
    "codeout import plot_digits.py  # a script of sphinx-gallery",
    name="import",
)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--docs", type=click.Path(path_type=Path), default="docs", show_default=True, help="Folder of the pages.")
@click.option(
    "--snippets", type=click.Path(path_type=Path), default="snippets", show_default=True, help="Folder of the snippets."
)
@click.option("--force", is_flag=True, help="Overwrite files.")
@click.pass_obj
def import_sources(config_file: Path | None, sources: Paths, docs: Path, snippets: Path, force: bool) -> None:
    """Turn notebooks and scripts into pages.

    SOURCE is a notebook (.ipynb), a script with `# %%` between its cells, a script of sphinx-gallery, or a folder of
    them. Each becomes a page and a snippet with one section for each cell. Saved outputs are left out: the site makes
    its own. Nothing but the code runs: fences, includes, templates and HTML in a text stay text.
    """
    from codeout.importers.files import find_sources, import_file

    files = find_sources(sources)
    if not files:
        raise PageError(f"{sources[0]}:1: no notebooks or scripts there")
    pages = [import_file(source, folder, docs, snippets, force=force) for source, folder in files]
    settings = _settings_text(config_file)
    for page in pages:
        _echo(f"{page.source} → {page.page} ({page.blocks} blocks)")
        needs = [sentence for setting, sentence in page.settings.items() if setting not in settings]
        for note in (*page.notes, *needs):
            _echo(f"    {note}")
    click.echo("\nFor `nav` in mkdocs.yml:")
    for page in pages:
        _echo(f"  - {page.page.relative_to(docs).as_posix()}")
    click.echo("\nAfter the first build, `codeout numbers` lists numbers in the text that the outputs do not have.")


def _echo(line: str) -> None:
    """Print a line with parts of a notebook: a terminal obeys some characters, so they are spelled out."""
    click.echo("".join(each if each.isprintable() else ascii(each)[1:-1] for each in line))


def _settings_text(config_file: Path | None) -> str:
    """Return the settings of the site, as far as it has some."""
    from codeout.mkdocs.loader import find_config_file

    try:
        return (config_file or find_config_file(Path())).read_text(encoding="utf8")
    except (OSError, CodeoutError):
        return ""


class NotAListError(ValueError):
    """A list in the settings that is not written with one item a line; the message says what to add by hand."""

    def __init__(self, key: str, missing: Sequence[str], line: int) -> None:
        """Take the list's name, what it lacks, and its line, from 1."""
        items = "".join(f"\n  - {item.partition('  #')[0]}" for item in missing)
        super().__init__(f"`{key}` is not a list with one item a line; write it so, and add to it{items}")
        self.line = line


def _docs_dir(text: str) -> str:
    """Return the folder of the pages."""
    match = re.search(r"^docs_dir\s*:\s*[\"']?([^\s\"'#]+)", text, re.MULTILINE)
    return match[1] if match else "docs"


def add_settings(text: str) -> tuple[str, list[str]]:
    """Return a configuration with what codeout needs, and the lines that were added.

    Raises:
        NotAListError: a list in it is not written with one item a line.
    """
    text, extensions = _add_items(text, "markdown_extensions", EXTENSIONS, [])
    text, plugins = _add_items(text, "plugins", PLUGINS, ["search"])  # MkDocs adds it only where there is no list
    return text, [*extensions, *plugins]


def _add_items(text: str, key: str, wanted: dict[str, str], default: Sequence[str]) -> tuple[str, list[str]]:
    lines = text.split("\n")
    start = next((number for number, line in enumerate(lines) if re.match(rf"{key}\s*:", line)), None)
    if start is None:
        block = [f"{key}:", *(f"  - {item}" for item in (*default, *wanted.values()))]
        return "\n".join([text.rstrip("\n"), "", *block, ""]), block
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith((" ", "-", "#"))):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    items = [match for match in map(ITEM.match, lines[start + 1 : end]) if match]
    is_list = re.match(rf"{key}\s*:\s*(#.*)?$", lines[start]) and items
    indent = items[0][1] if items else "  "
    names = {match[2] for match in items if match[1] == indent} or {*re.findall(r"[\w.-]+", lines[start])}
    missing = [item for name, item in wanted.items() if name not in names]
    if not missing:
        return text, []
    if not is_list:
        raise NotAListError(key, missing, start + 1)
    added = [f"{indent}- {item}" for item in missing]
    return "\n".join([*lines[:end], *added, *lines[end:]]), added


COMMANDS = (init, import_sources)
