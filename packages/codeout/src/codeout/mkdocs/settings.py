"""What codeout needs of a MkDocs site, the settings that the site has for it, and the paths of its pages.

Paths are those that their authors know, whatever plugins do to the folder that MkDocs reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

from codeout.config import Config
from codeout.errors import CodeoutError
from codeout.markdown.extension import NAME, is_executed

SKIPPED = {".git", ".venv", "node_modules", "site", ".codeout", "__pycache__"}


def read_settings(config: MkDocsConfig, options: dict[str, Any], source: str, *, serves: bool) -> Config:
    """Return the settings of a site from the options of the extension; messages name the configuration file `source`.

    While a server runs, errors show on their pages, and edits resume from checkpoints.

    Raises:
        PluginError: the site lacks what blocks need to run, or an option is invalid.
    """
    for need in _missing_parts(config):
        raise PluginError(f"{source}:1: codeout needs {need}")
    root = Path(config.config_file_path).parent.resolve() if config.config_file_path else Path.cwd()
    try:
        settings = Config.from_options({"root": root, **options}, source)
    except CodeoutError as problem:
        raise PluginError(str(problem)) from problem
    return msgspec.structs.replace(
        settings,
        docs_dir=PagePaths(config, settings.root).docs_dir,
        errors="show" if serves else settings.errors,
        checkpoints=serves or settings.checkpoints,
    )


def _missing_parts(config: MkDocsConfig) -> Iterator[str]:
    """Yield what a site lacks for its blocks to run, to complete "needs"."""
    names = config.markdown_extensions
    if NAME not in names:
        yield "`- codeout` under `markdown_extensions` as well"
    if not {"pymdownx.superfences", "pymdownx.extra"} & {*names}:
        yield "`- pymdownx.superfences` under `markdown_extensions`"
    fences = (config.mdx_configs.get("pymdownx.superfences") or {}).get("custom_fences") or ()
    if "markdown-exec" not in config.plugins and not any(is_executed(fence) for fence in fences):
        yield "`- markdown-exec` under `plugins`: it finds the blocks to run"


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
        if source is None or (self._root / usual).resolve() == (path := Path(source).resolve()):
            return usual  # the usual place, or a page that a plugin has generated
        if path.is_relative_to(self._root):
            return path.relative_to(self._root).as_posix()
        return self._copied_from(path) or usual

    def _copied_from(self, copy: Path) -> str | None:
        """Return the one file of the project with the name and content of a copy that a plugin has made elsewhere."""
        try:
            content = copy.read_bytes()
        except OSError:
            return None
        originals: list[Path] = []
        for folder, folders, files in os.walk(self._root):
            folders[:] = [each for each in folders if each not in SKIPPED]
            if copy.name in files and (path := Path(folder, copy.name)).read_bytes() == content:
                originals.append(path)
        return originals[0].relative_to(self._root).as_posix() if len(originals) == 1 else None
