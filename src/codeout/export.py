"""What a page's notebook is made from, read from disk: its text, and the author's modules that its code imports."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from codeout import environment
from codeout.blocks import Block
from codeout.config import Config
from codeout.keys import digest
from codeout.notebook import FORMAT, Page, notebook, script, without_hidden
from codeout.outputs import Run
from codeout.store import write


def exported(page: Page, kind: str, folder: Path) -> str:
    """Return a page as a notebook (`ipynb`) or a script (`py`); a notebook is kept in a folder, and not made twice."""
    if kind == "py":
        return script(page)
    file = folder / f"{digest(FORMAT, page)[:40]}.ipynb"
    try:
        return file.read_text(encoding="utf8")
    except OSError:
        made = notebook(page)
    with contextlib.suppress(OSError):  # that the store can't be written has been said
        write(file, made.encode())
    return made


def page_of(blocks: Sequence[Block], runs: Sequence[Run], config: Config, url: str = "") -> Page:
    """Return what the notebook of a page is made from.

    Args:
        blocks: of one page, in order.
        runs: theirs.
        config: the settings of the site.
        url: where the site will be; empty if that is not known.
    """
    prelude = config.path(config.prelude).read_text(encoding="utf8") if config.prelude else ""
    codes = without_hidden([block.code for block in blocks])
    files = environment.modules("\n".join([prelude, *codes]), config)
    modules = {Path(file.path).stem: config.path(file.path).read_text(encoding="utf8") for file in files}
    gpu = any(fnmatchcase(block.session, pattern) for block in blocks for pattern in config.gpu)
    text = config.path(blocks[0].place.path).read_text(encoding="utf8")
    return Page(text, blocks, runs, modules, prelude, url and url.rstrip("/") + "/", gpu)
