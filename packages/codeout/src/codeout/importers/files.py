"""Import files: read each by its kind, and write the page, the snippet and the pictures. Nothing is overwritten."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import msgspec

from codeout.errors import PageError
from codeout.importers.cells import Cell
from codeout.importers.gallery import is_gallery_script, read_gallery_script
from codeout.importers.notebook import read_notebook, read_percent_script
from codeout.importers.pages import ImportedPage, make_page

LINK = re.compile(r"!\[[^\]]*\]\(\s*<?([^)\s>]+)|<img[^>]*\bsrc=[\"']([^\"']+)")
PERCENT = re.compile(r"^# %%", re.MULTILINE)


class Imported(msgspec.Struct, frozen=True):
    """One file that was imported."""

    source: Path
    page: Path
    blocks: int
    notes: Sequence[str]
    settings: Mapping[str, str]
    """What it takes for the page to look right, by what the site's settings then contain."""


def find_sources(paths: Iterable[Path]) -> list[tuple[Path, Path]]:
    """Return the notebooks and scripts at or below some paths, each with the folder that it lies in, relative to them.

    Raises:
        PageError: a file is of another kind.
    """
    found = []
    for path in paths:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix in (".ipynb", ".py"))
            shown = [file for file in files if not any(part.startswith(".") for part in file.relative_to(path).parts)]
            found += [(file, file.relative_to(path).parent) for file in shown if _is_tutorial(file)]
        elif path.suffix not in (".ipynb", ".py"):
            raise PageError(f"{path}:1: not a notebook (.ipynb) or a script (.py)")
        else:
            found.append((path, Path()))
    return found


def import_file(source: Path, folder: Path, docs: Path, snippets: Path, *, force: bool) -> Imported:
    """Write the page, the snippet and the pictures of a notebook or a script.

    Args:
        source: the notebook or script.
        folder: where its page belongs, relative to `docs`.
        docs: the folder of the pages.
        snippets: the folder of the snippets.
        force: whether to overwrite files.

    Raises:
        PageError: it cannot be read, or a file exists already.
    """
    name = re.sub(r"\W+", "_", source.stem).strip("_") or "page"
    imported = make_page(read_cells(source), name)
    page = docs / folder / f"{name}.md"
    pictures = {page.parent / f"{name}_files" / each: content for each, content in imported.files.items()}
    pictures |= _linked_pictures(imported, source, page, name)
    files = {page: imported.page.encode(), snippets / f"{name}.py": imported.snippet.encode(), **pictures}
    for path, content in files.items():
        if path.exists() and not force and path.read_bytes() != content:
            raise PageError(f"{path}:1: is there already; move it, or use --force")
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Imported(source, page, imported.blocks, imported.notes, imported.settings)


def read_cells(source: Path) -> list[Cell]:
    """Return the cells of a notebook, a percent script, or a script of sphinx-gallery.

    Raises:
        PageError: it cannot be read.
    """
    if source.suffix == ".ipynb":
        return read_notebook(source)
    try:
        text = source.read_text(encoding="utf8")
    except (OSError, UnicodeDecodeError) as problem:
        raise PageError(f"{source}:1: cannot read it: {problem}") from problem
    return read_gallery_script(source) if is_gallery_script(text) else read_percent_script(source)


def _is_tutorial(path: Path) -> bool:
    """Return whether a file of a folder is a notebook or a script with text, and not a module."""
    if path.suffix == ".ipynb":
        return True
    text = path.read_text(encoding="utf8", errors="replace")
    return PERCENT.search(text) is not None or is_gallery_script(text)


def _linked_pictures(imported: ImportedPage, source: Path, page: Path, name: str) -> dict[Path, bytes]:
    """Return the pictures beside a notebook that its text shows, by where they belong; note those that are missing."""
    pictures = {}
    for match in LINK.finditer(imported.page):
        link = unquote(match[1] or match[2]).partition("#")[0]
        if re.match(r"[a-z]+:|/", link) or link.startswith(f"{name}_files/"):
            continue
        if ".." in Path(link).parts or not (source.parent / link).is_file():
            imported.notes.append(f"the picture {link} is not beside {source.name}")
        else:
            pictures[page.parent / link] = (source.parent / link).read_bytes()
    return pictures
