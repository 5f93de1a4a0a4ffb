"""Have a server watch the folders of what blocks have read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codeout.cache.input_reader import InputReader
from codeout.model.outputs import Run

if TYPE_CHECKING:
    from mkdocs.livereload import LiveReloadServer

MAX_WATCHED = 20
"""Folders besides those of pages and modules that a server watches; it has a thread for each."""
SYSTEM_FOLDERS = ("/usr/", "/etc/", "/lib")
"""What only an installation changes, such as fonts."""


class WatchedFolders(msgspec.Struct):
    """The folders of what blocks have read: an editor may replace a file, or put one where none was."""

    _server: LiveReloadServer | None = None
    _folders: set[str] = msgspec.field(default_factory=set)

    def attach(self, server: LiveReloadServer) -> None:
        """Have a server watch the folders that are known, and those that follow."""
        self._server = server
        for folder in sorted(self._folders):
            server.watch(folder, recursive=False)

    def add(self, reader: InputReader, runs: Sequence[Run]) -> None:
        """Watch the folders of what runs have read."""
        for path in reader.paths(runs):
            folder = path if Path(path).is_dir() else str(Path(path).parent)
            if folder in self._folders or len(self._folders) == MAX_WATCHED or folder.startswith(SYSTEM_FOLDERS):
                continue
            if Path(folder).is_dir():
                self._folders.add(folder)
                if self._server:
                    self._server.watch(folder, recursive=False)
