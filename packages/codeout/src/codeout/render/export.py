"""Pages as notebooks, scripts and Markdown, made from what is on disk: their text, and the modules that they import."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from codeout.cache.distributions import engine_stamp
from codeout.cache.files import list_folder, write_atomically
from codeout.cache.keys import digest
from codeout.cache.store import EXPORTS, RunStore
from codeout.config import Config
from codeout.model.blocks import Block
from codeout.model.inputs import is_elsewhere
from codeout.model.outputs import Run
from codeout.render.cells import Cell, Page, exported_code, imported_modules, split_page

if TYPE_CHECKING:
    from codeout.render.cells import Page

EXPORT_NAME = re.compile(r"[0-9a-f]{40}\.(ipynb|py|md)")


class Exports(msgspec.Struct, frozen=True):
    """Notebooks and scripts of a site, kept in a folder that may be lost at any time."""

    config: Config
    """The settings of the site."""
    url: str = ""
    """The address of the site; empty if unknown."""

    def get(self, text: str, blocks: Sequence[Block], runs: Sequence[Run], kind: str) -> Path:
        """Return the file of a page as a notebook (`ipynb`), a script (`py`) or Markdown (`md`), written if need be.

        Args:
            text: the Markdown of the page, with a hole in place of each block.
            blocks: of the page, in order.
            runs: theirs.
            kind: `ipynb`, `py` or `md`.

        Raises:
            OSError: the disk is full or read-only.
        """
        # The key of a run, which is in its provenance, covers the code and the prelude.
        made_from = [(block.raises, run.provenance) for block, run in zip(blocks, runs, strict=True)]
        modules = {(input_.name, input_.digest) for run in runs for input_ in run.inputs if input_.name.endswith(".py")}
        key = digest(engine_stamp(), text, made_from, sorted(modules), self.url, self.config.gpu)
        file = self._folder / f"{key[:40]}.{kind}"
        if not file.is_file():
            fill_in = RunStore(self.config.path(self.config.cache)).pictures.fill_in
            page = make_page(text, blocks, [fill_in(run) for run in runs], self.config, self.url)
            write_atomically(file, content(page, kind).encode())
        return file

    def remove_all(self) -> None:
        """Remove all exports; the next build writes those that it needs.

        Raises:
            OSError: their folder cannot be read, or one of them cannot be removed.
        """
        for path in list_folder(self._folder):
            if EXPORT_NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                path.unlink(missing_ok=True)

    @property
    def _folder(self) -> Path:
        return self.config.path(self.config.cache) / EXPORTS


def content(page: Page, kind: str) -> str:
    """Return a page as a notebook (`ipynb`), a script (`py`) or Markdown (`md`)."""
    # On use, so that a build without exports is quick.
    from codeout.render.markdown_page import markdown_page
    from codeout.render.notebook import notebook

    write = {"ipynb": notebook, "py": script, "md": markdown_page}
    return write[kind](page)


def export_path(page: Page, kind: str, docs_dir: str) -> PurePosixPath:
    """Return where the export of a page with at least one block belongs, relative to the folder of the exports.

    Args:
        page: the page.
        kind: `ipynb`, `py` or `md`.
        docs_dir: the folder of the site's pages.
    """
    source = PurePosixPath(page.blocks[0].place.path)
    path = source.relative_to(docs_dir) if source.is_relative_to(docs_dir) else PurePosixPath(source.name)
    return path.with_suffix(f".{kind}")


def _modules(runs: Sequence[Run], config: Config) -> list[str]:
    """Return the files of the site's own modules that runs have loaded."""
    files = {file.name for run in runs for file in run.inputs if file.kind == "file" and file.digest}
    paths = {path for path in files if path.endswith(".py") and not is_elsewhere(path)}
    return sorted(p for p in paths if any(PurePosixPath(p).is_relative_to(folder) for folder in config.paths))


def make_page(text: str, blocks: Sequence[Block], runs: Sequence[Run], config: Config, url: str = "") -> Page:
    """Return what the notebook of a page is made from.

    Args:
        text: the Markdown of the page, with a hole in place of each block.
        blocks: of the page, in order.
        runs: theirs.
        config: the settings of the site.
        url: the address of the site; empty if unknown.
    """
    from codeout.render.cells import Page, imported_modules

    prelude = config.path(config.prelude).read_text(encoding="utf8") if config.prelude else ""
    sources = {Path(path).stem: config.path(path).read_text(encoding="utf8") for path in _modules(runs, config)}
    modules = imported_modules("\n".join(block.code for block in blocks), sources)
    gpu = any(block.matches(config.gpu) for block in blocks)
    return Page(text, blocks, runs, modules, prelude, url and url.rstrip("/") + "/", gpu)


def script(page: Page) -> str:
    """Return a page as a script that gives the page's results."""
    cells = list(split_page(page))
    parts = []
    if modules := imported_modules("\n".join(cell.text for cell in cells if cell.block), page.modules):
        parts.append("\n".join(_module_lines(modules)))
    if page.prelude:
        parts.append(f"# %%\n{exported_code(page.prelude)}\n")
    return "\n".join([*parts, *map(_cell_text, cells)])


def _module_lines(modules: Mapping[str, str]) -> Iterator[str]:
    """Yield code that writes modules into a folder of its own, where the cells below import them from."""
    yield "# %% Modules of the site that the code below imports"
    yield "import atexit, pathlib, shutil, sys, tempfile"
    yield ""
    yield "_modules = pathlib.Path(tempfile.mkdtemp())"
    yield "atexit.register(shutil.rmtree, _modules)"
    yield "sys.path.insert(0, str(_modules))"
    for name, source in modules.items():
        literal = source.rstrip("\n").replace("\\", r"\\").replace('"""', r"\"\"\"")
        yield f'(_modules / "{name}.py").write_text("""\\\n{literal}\n""", encoding="utf8")'
    yield ""


def _cell_text(cell: Cell) -> str:
    if cell.block:
        return f"# %%\n{cell.text}\n"
    comment = textwrap.indent(cell.text, "# ", lambda line: True).replace("# \n", "#\n")
    return f"# %% [markdown]\n{comment}\n"
