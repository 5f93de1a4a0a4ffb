"""Paths of pages as their authors know them, whatever plugins do to the folder that MkDocs reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig

SKIPPED = {".git", ".venv", "node_modules", "site", ".codeout", "__pycache__"}


def site_root(config: MkDocsConfig) -> Path:
    """Return the folder of the configuration file."""
    return Path(config.config_file_path).parent.resolve() if config.config_file_path else Path.cwd()


class PagePaths:
    """Finds the author's file of each page, relative to the folder of the configuration file."""

    def __init__(self, config: MkDocsConfig, root: Path) -> None:
        """Take the configuration before other plugins may replace its folder of pages."""
        self._root = root.resolve()
        self.docs_dir = Path(os.path.relpath(config.docs_dir, self._root)).as_posix()
        """The folder of the pages, relative to the root."""
        self._known: dict[str, str] = {}

    def path_of(self, file: Any) -> str:
        """Return the path of a page by its `mkdocs.structure.files.File`."""
        if file.src_uri not in self._known:
            self._known[file.src_uri] = self._find(file)
        return self._known[file.src_uri]

    def _find(self, file: Any) -> str:
        usual = f"{self.docs_dir}/{file.src_uri}"
        source = file.abs_src_path
        if source is None or (self._root / usual).resolve() == Path(source).resolve():
            return usual  # the usual place, or a page that a plugin has generated
        path = Path(source).resolve()
        if path.is_relative_to(self._root):
            return path.relative_to(self._root).as_posix()
        return self._copied_from(path) or usual

    def _copied_from(self, copy: Path) -> str | None:
        """Return the one file of the project with the name and content of a copy that a plugin has made elsewhere."""
        try:
            content = copy.read_bytes()
        except OSError:
            return None
        originals = [path for path in self._files_named(copy.name) if path.read_bytes() == content]
        return originals[0].relative_to(self._root).as_posix() if len(originals) == 1 else None

    def _files_named(self, name: str) -> list[Path]:
        found: list[Path] = []
        for folder, folders, files in os.walk(self._root):
            folders[:] = [each for each in folders if each not in SKIPPED]
            found += [Path(folder) / name] if name in files else []
        return found
