"""The site that commands work on, as its generator sees it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from codeout.cache.build_record import RecordedPage
from codeout.cache.lookup import Lookup
from codeout.config import Config
from codeout.errors import PageError, suggest
from codeout.mkdocs.loader import find_config_file, load_site
from codeout.model.blocks import Block


class CommandSite:
    """A site: its settings, and the blocks of its pages as they are now."""

    def __init__(self, config_file: Path | None) -> None:
        """Load the site of a configuration file, or of the one in the current folder.

        Raises:
            PageError: there is none, or it or a page has a mistake.
        """
        self._file = config_file or find_config_file(Path())
        self._site = load_site(self._file)

    @property
    def config(self) -> Config:
        """The settings of the engine."""
        return self._site.config

    @property
    def url(self) -> str:
        """The address of the site; empty if unknown."""
        return self._site.url

    def prepared_lookup(self) -> Lookup:
        """Return the look-up of the site, once the data that its blocks need is there.

        Raises:
            PageError: the script that prepares them failed.
        """
        from codeout.run.prepare import Preparation

        Preparation(self.config).wait()
        return Lookup(self.config)

    def reload(self) -> CommandSite:
        """Load the site again, after its files have changed; return it.

        Raises:
            PageError: it or a page has a mistake.
        """
        self._site = load_site(self._file)
        return self

    def pages(self, paths: Sequence[Path]) -> list[RecordedPage]:
        """Return the pages at these paths, or all, if there are blocks on them.

        Raises:
            PageError: a path is not that of a page with blocks.
        """
        if not paths:
            return list(self._site.pages)
        by_path = {page.path: page for page in self._site.pages}
        selected_pages = []
        for path in paths:
            name = Path(os.path.relpath(path.resolve(), self.config.root.resolve())).as_posix()
            if name not in by_path:
                raise PageError(f"{path}:1: not a page with blocks{suggest(name, by_path)}")
            selected_pages.append(by_path[name])
        return selected_pages

    def blocks(self, paths: Sequence[Path]) -> list[Block]:
        """Return the blocks of the pages at these paths, or of all.

        Raises:
            PageError: a path is not that of a page with blocks.
        """
        return [block for page in self.pages(paths) for block in page.blocks]
