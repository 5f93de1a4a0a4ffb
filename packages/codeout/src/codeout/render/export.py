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
    """Notebooks and scripts that were made before, in a folder; they may be lost at any time."""

    folder: Path
    config: Config
    url: str = ""  # of the site

    def get(self, blocks: Sequence[Block], runs: Sequence[Run], kind: str) -> Path:
        """Return the file of a page as a notebook (`ipynb`) or a script (`py`); it is made if there is none.

        Raises:
            OSError: the disk is full or read-only.
        """
        text = self.config.path(blocks[0].place.path).read_bytes()
        # The key of a run covers all that its code depends on: the prelude and the modules, too.
        told = [(block.raises, run.provenance) for block, run in zip(blocks, runs, strict=True)]
        key = digest(engine_stamp(), text, told, self.url, self.config.gpu)
        file = self.folder / f"{key[:40]}.{kind}"
        if not file.is_file():
            from codeout.render.notebook import notebook  # here, so that a build with nothing to make is quick
            from codeout.render.script import script

            page = page_of(blocks, runs, self.config, self.url)
            write_atomically(file, (notebook(page) if kind == "ipynb" else script(page)).encode())
        return file


def page_of(blocks: Sequence[Block], runs: Sequence[Run], config: Config, url: str = "") -> Page:
    """Return what the notebook of a page is made from.

    Args:
        blocks: of one page, in order.
        runs: theirs.
        config: the settings of the site.
        url: where the site will be; empty if that is not known.
    """
    from codeout.render.cells import Page
    from codeout.render.hidden_lines import visible_code

    prelude = config.path(config.prelude).read_text(encoding="utf8") if config.prelude else ""
    codes = visible_code([block.code for block in blocks])
    files = environment.modules("\n".join([prelude, *codes]), config)
    modules = {Path(file.path).stem: config.path(file.path).read_text(encoding="utf8") for file in files}
    gpu = any(block.matches(config.gpu) for block in blocks)
    text = config.path(blocks[0].place.path).read_text(encoding="utf8")
    return Page(text, blocks, runs, modules, prelude, url and url.rstrip("/") + "/", gpu)
