"""Import files: read each by its kind, and write the page, the snippet and the pictures.

Nothing is overwritten, and nothing is read or written through links that came with what is imported.
"""

from __future__ import annotations

import base64
import contextlib
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from codeout.cache.files import read_regular_file, write_atomically
from codeout.errors import PageError
from codeout.importers.gallery import is_gallery_script, read_gallery_script
from codeout.importers.pages import Cell, CodeCell, TextCell, make_page

PERCENT = re.compile(r"^# %%", re.MULTILINE)
MALFORMED = (ValueError, LookupError, AttributeError, TypeError, RecursionError)
"""What readers raise if a notebook does not have the shape that they expect."""
MAX_PICTURE = 50_000_000
"""Bytes of a picture beside a notebook."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """One file that was imported."""

    source: Path
    page: Path
    blocks: int
    notes: Sequence[str]
    settings: Mapping[str, str]
    """What it takes for the page to look right, by what the site's settings then contain."""


class _Version(msgspec.Struct):
    nbformat: int


class _Output(msgspec.Struct):
    output_type: str = ""
    ename: str = ""


class _Metadata(msgspec.Struct):
    tags: list[str] | None = None


class _NotebookCell(msgspec.Struct):
    """A cell as version 4 of the format has it; whatever else it has is ignored."""

    cell_type: str
    source: str | list[str] = ""
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    outputs: list[_Output] = msgspec.field(default_factory=list)
    attachments: dict[str, dict[str, str | list[str]]] = msgspec.field(default_factory=dict)


class _Notebook(msgspec.Struct):
    cells: list[_NotebookCell]


def find_sources(paths: Iterable[Path]) -> list[tuple[Path, Path]]:
    """Return the notebooks and scripts at or below some paths, each with the folder that it lies in, relative to them.

    Raises:
        PageError: a file is of another kind.
    """
    found = []
    for path in paths:
        if path.is_dir():
            inside = [file.relative_to(path) for file in sorted(path.rglob("*")) if file.suffix in (".ipynb", ".py")]
            shown = [file for file in inside if not any(part.startswith(".") for part in file.parts)]
            own = [file for file in shown if (path / file).is_file() and _find_link(path, file) is None]
            found += [(path / file, file.parent) for file in own if _is_tutorial(path / file)]
        elif path.suffix not in (".ipynb", ".py"):
            raise PageError(f"{path}:1: not a notebook (.ipynb) or a script (.py)")
        else:
            found.append((path, Path()))
    return found


def import_file(source: Path, folder: Path, docs: Path, snippets: Path, *, force: bool) -> Imported:
    """Write the page, the snippet and the pictures of a notebook or a script; its page belongs in a folder of `docs`.

    Raises:
        PageError: it cannot be read, a file exists already, or a file or a folder of the site is a link.
    """
    name = re.sub(r"\W+", "_", source.stem).strip("_") or "page"
    imported = make_page(read_cells(source), name, source.name, partial(_read_picture, source.parent))
    page = folder / f"{name}.md"
    pictures = {(docs, folder / f"{name}_files" / each): content for each, content in imported.pictures.items()}
    texts = {(docs, page): imported.page, (snippets, Path(f"{name}.py")): imported.snippet}
    files = {place: text.encode("utf8", "replace") for place, text in texts.items()} | pictures
    for (root, path), content in files.items():
        _check_place(root, path, content, force=force)
    for (root, path), content in files.items():
        _write(root / path, content)
    return Imported(
        source=source,
        page=docs / page,
        blocks=imported.blocks,
        notes=imported.notes,
        settings=imported.settings,
    )


def read_cells(source: Path) -> list[Cell]:
    """Return the cells of a notebook, a percent script, or a script of sphinx-gallery.

    Raises:
        PageError: it cannot be read, or what reads it is not installed.
    """
    try:
        content = source.read_bytes()
        text = content.decode("utf8")
    except (OSError, UnicodeDecodeError) as problem:
        raise PageError(f"{source}:1: cannot read it: {problem}") from problem
    is_notebook = source.suffix == ".ipynb"
    if not is_notebook and is_gallery_script(text):
        return read_gallery_script(source)
    try:
        if is_notebook:
            return list(_cells(_read_notebook(content)))
        import jupytext

        return list(_cells(msgspec.convert(jupytext.read(source, fmt="py:percent"), _Notebook)))
    except ModuleNotFoundError as problem:
        needs = f"it needs {problem.name}: `pip install 'codeout[import]'`"
        raise PageError(f"{source}:1: {needs}") from problem
    except MALFORMED as problem:
        kind = "notebook" if is_notebook else "script with cells"
        raise PageError(f"{source}:1: not a {kind}: {str(problem).partition(chr(10))[0]}") from problem


def _read_picture(folder: Path, link: str) -> bytes | None:
    """Return the content of a file in the folder of a notebook; None if it is elsewhere, or reached through links."""
    path = Path(link)
    with contextlib.suppress(OSError, ValueError):  # it is not there, or no file can have that name
        if not (path.anchor or ".." in path.parts or _find_link(folder, path)):
            return read_regular_file(folder / path, MAX_PICTURE)
    return None


def _find_link(root: Path, path: Path) -> Path | None:
    """Return the symbolic link on the way from a folder to a file below it, the file included, if there is one."""
    return next((root / step for step in (path, *path.parents[:-1]) if (root / step).is_symlink()), None)


def _is_tutorial(path: Path) -> bool:
    """Return whether a file of a folder is a notebook or a script with text, and not a module."""
    if path.suffix == ".ipynb":
        return True
    text = path.read_text(encoding="utf8", errors="replace")
    return PERCENT.search(text) is not None or is_gallery_script(text)


def _read_notebook(content: bytes) -> _Notebook:
    """Return a notebook of any version of the format."""
    if msgspec.json.decode(content, type=_Version).nbformat >= 4:
        return msgspec.json.decode(content, type=_Notebook)
    import nbformat

    try:
        return msgspec.convert(nbformat.reads(content.decode("utf8"), as_version=4), _Notebook)
    except nbformat.ValidationError as problem:
        raise ValueError(str(problem)) from problem


def _cells(notebook: _Notebook) -> Iterator[Cell]:
    for cell in notebook.cells:
        source = "".join(cell.source).strip("\n")
        if cell.cell_type == "code":
            errors = (output.ename for output in cell.outputs if output.output_type == "error")
            yield CodeCell(source, frozenset(cell.metadata.tags or ()), next(errors, ""))
        elif cell.cell_type == "markdown":
            yield TextCell(source, {name: _decode(bundle) for name, bundle in cell.attachments.items()})


def _decode(bundle: Mapping[str, str | list[str]]) -> bytes:
    """Return the content of an attachment; nothing if it has no picture, or one that is not base64."""
    picture = next((data for mime, data in bundle.items() if mime.startswith("image/")), "")
    with contextlib.suppress(ValueError):
        return base64.b64decode("".join(picture))
    return b""


def _check_place(root: Path, path: Path, content: bytes, *, force: bool) -> None:
    """Check that a file may be written, without following a link."""
    target = root / path
    try:
        if link := _find_link(root, path):
            raise PageError(f"{link}:1: is a link; nothing is written through links, so remove it")
        if not target.exists():
            return
        if not target.is_file():
            raise PageError(f"{target}:1: is there already, and no file; move it")
        if not force and target.read_bytes() != content:
            raise PageError(f"{target}:1: is there already; move it, or use --force")
    except OSError as problem:
        raise PageError(f"{target}:1: cannot write it: {problem.strerror}") from problem


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
        path.chmod(stat.S_IMODE(path.parent.stat().st_mode) & 0o666)  # to be read by whoever reads the folder
    except OSError as problem:
        raise PageError(f"{path}:1: cannot write it: {problem.strerror}") from problem
