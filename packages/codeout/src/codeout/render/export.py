"""What a page's notebook is made from, read from disk: its text, and the author's modules that its code imports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codeout.cache import environment
from codeout.cache.distributions import engine_stamp
from codeout.cache.files import write_atomically
from codeout.cache.keys import digest
from codeout.config import Config
from codeout.model.blocks import Block
from codeout.model.outputs import Run

if TYPE_CHECKING:
    from codeout.render.cells import Page


@dataclass(frozen=True, slots=True)
class Exports:
    """Notebooks and scripts of a site, kept in a folder that may be lost at any time."""

    config: Config
    """The settings of the site."""
    url: str = ""
    """The address of the site; empty if unknown."""

    def get(self, text: str, blocks: Sequence[Block], runs: Sequence[Run], kind: str) -> Path:
        """Return the file of a page as a notebook (`ipynb`) or a script (`py`); it is written if there is none.

        Args:
            text: the Markdown of the page, with a hole in place of each block.
            blocks: of the page, in order.
            runs: theirs.
            kind: `ipynb` or `py`.

        Raises:
            OSError: the disk is full or read-only.
        """
        # The key of a run covers all that its code depends on: the prelude and the modules as well.
        made_from = [(block.raises, run.provenance) for block, run in zip(blocks, runs, strict=True)]
        key = digest(engine_stamp(), text, made_from, self.url, self.config.gpu)
        file = self.config.memo / "exports" / f"{key[:40]}.{kind}"
        if not file.is_file():
            from codeout.render.notebook import notebook  # on use, so that a build without exports is quick
            from codeout.render.script import script

            page = make_page(text, blocks, runs, self.config, self.url)
            write_atomically(file, (notebook(page) if kind == "ipynb" else script(page)).encode())
        return file


def make_page(text: str, blocks: Sequence[Block], runs: Sequence[Run], config: Config, url: str = "") -> Page:
    """Return what the notebook of a page is made from.

    Args:
        text: the Markdown of the page, with a hole in place of each block.
        blocks: of the page, in order.
        runs: theirs.
        config: the settings of the site.
        url: the address of the site; empty if unknown.
    """
    from codeout.render.cells import Page

    prelude = config.path(config.prelude).read_text(encoding="utf8") if config.prelude else ""
    files = environment.find_local_modules("\n".join([prelude, *(block.code for block in blocks)]), config)
    modules = {Path(file.path).stem: config.path(file.path).read_text(encoding="utf8") for file in files}
    gpu = any(block.matches(config.gpu) for block in blocks)
    return Page(text, blocks, runs, modules, prelude, url and url.rstrip("/") + "/", gpu)
