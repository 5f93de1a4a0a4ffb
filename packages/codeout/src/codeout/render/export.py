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

if TYPE_CHECKING:
    from codeout.render.cells import Cell, Page

MODULES_CODE = """# %% Modules of the site that the code below imports
import atexit, pathlib, shutil, sys, tempfile

_modules = pathlib.Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, _modules)
sys.path.insert(0, str(_modules))"""
EXPORT_NAME = re.compile(r"[0-9a-f]{40}\.(ipynb|py|md)")


class Exports(msgspec.Struct, frozen=True):
    """Notebooks and scripts of a site, kept in a folder that may be lost at any time."""

    config: Config
    url: str = ""
    """The address of the site; empty if unknown."""

    def get(self, text: str, blocks: Sequence[Block], runs: Sequence[Run], kind: str) -> Path:
        """Return the file of a page as a notebook (`ipynb`), a script (`py`) or Markdown (`md`), written if need be.

        The text of the page has a hole in place of each of its blocks.

        Raises:
            OSError: the disk is full or read-only.
        """
        # The key of a run, which is in its provenance, covers the code and the prelude.
        made_from = [(block.raises, run.provenance) for block, run in zip(blocks, runs, strict=True)]
        modules = {(input_.name, input_.digest) for run in runs for input_ in run.inputs if input_.name.endswith(".py")}
        key = digest(engine_stamp(), text, made_from, sorted(modules), self.url, self.config.gpu)
        cache = self.config.path(self.config.cache)
        file = cache / EXPORTS / f"{key[:40]}.{kind}"
        if not file.is_file():
            fill_in = RunStore(cache).pictures.fill_in
            page = make_page(text, blocks, [fill_in(run) for run in runs], self.config, self.url)
            write_atomically(file, content(page, kind).encode())
        return file

    def remove_all(self) -> None:
        """Remove all exports; the next build writes those that it needs.

        Raises:
            OSError: their folder cannot be read, or one of them cannot be removed.
        """
        for path in list_folder(self.config.path(self.config.cache) / EXPORTS):
            if EXPORT_NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                path.unlink(missing_ok=True)


def content(page: Page, kind: str) -> str:
    """Return a page as a notebook (`ipynb`), a script (`py`) or Markdown (`md`)."""
    # On use, so that a build without exports is quick.
    from codeout.render.markdown_page import markdown_page
    from codeout.render.notebook import notebook

    return {"ipynb": notebook, "py": script, "md": markdown_page}[kind](page)


def export_path(page: Page, kind: str, docs_dir: str) -> PurePosixPath:
    """Return where the export of a page with at least one block belongs, relative to the folder of the exports."""
    source = PurePosixPath(page.blocks[0].place.path)
    path = source.relative_to(docs_dir) if source.is_relative_to(docs_dir) else PurePosixPath(source.name)
    return path.with_suffix(f".{kind}")


def make_page(text: str, blocks: Sequence[Block], runs: Sequence[Run], config: Config, url: str = "") -> Page:
    """Return what the notebook of a page is made from: its text, with a hole in place of each block, and the rest."""
    from codeout.render.cells import Page, imported_modules

    files = {file.name for run in runs for file in run.inputs if file.kind == "file" and file.digest}
    loaded = {path for path in files if path.endswith(".py") and not is_elsewhere(path)}
    own = sorted(path for path in loaded if any(PurePosixPath(path).is_relative_to(each) for each in config.paths))
    sources = {Path(path).stem: config.path(path).read_text(encoding="utf8") for path in own}
    return Page(
        text=text,
        blocks=blocks,
        runs=runs,
        modules=imported_modules("\n".join(block.code for block in blocks), sources),
        prelude=config.path(config.prelude).read_text(encoding="utf8") if config.prelude else "",
        site_url=url and url.rstrip("/") + "/",
        gpu=any(block.matches(config.gpu) for block in blocks),
    )


def script(page: Page) -> str:
    """Return a page as a script that gives the page's results."""
    from codeout.render.cells import exported_code, imported_modules, split_page

    cells = list(split_page(page))
    parts = []
    if modules := imported_modules("\n".join(cell.text for cell in cells if cell.block), page.modules):
        parts.append("\n".join(_module_lines(modules)))
    if page.prelude:
        parts.append(f"# %%\n{exported_code(page.prelude)}\n")
    return "\n".join([*parts, *map(_cell_text, cells)])


def _module_lines(modules: Mapping[str, str]) -> Iterator[str]:
    """Yield code that writes modules into a folder of its own, where the cells below import them from."""
    yield MODULES_CODE
    for name, source in modules.items():
        literal = source.rstrip("\n").replace("\\", r"\\").replace('"""', r"\"\"\"")
        yield f'(_modules / "{name}.py").write_text("""\\\n{literal}\n""", encoding="utf8")'
    yield ""


def _cell_text(cell: Cell) -> str:
    if cell.block:
        return f"# %%\n{cell.text}\n"
    comment = textwrap.indent(cell.text, "# ", lambda line: True).replace("# \n", "#\n")
    return f"# %% [markdown]\n{comment}\n"
