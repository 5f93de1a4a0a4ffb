"""What a page's notebook is made from, read from disk: its text, and the author's modules that its code imports."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from codeout import environment
from codeout.blocks import Block
from codeout.config import Config
from codeout.notebook import Page, without_hidden
from codeout.outputs import Run


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
