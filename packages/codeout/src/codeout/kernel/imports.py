"""Import modules from the author's folders, so that each place in which one is looked for is asked by its name.

Python's own finder lists a folder once and keeps the names, which tells nobody what was looked for. And it keeps
bytecode, which is stale after an edit that keeps size and second: of the author's modules none is read or written.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
)
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

INSTALLED = str(Path(os.__file__).parent) + os.sep  # the library of Python
PACKAGES = {"site-packages", "dist-packages"}
LOADERS = [(suffix, ExtensionFileLoader) for suffix in EXTENSION_SUFFIXES] + [
    (suffix, SourceFileLoader) for suffix in SOURCE_SUFFIXES
]


def import_from(folders: Sequence[str]) -> None:
    """Let blocks import from folders, ahead of every module that is not built into Python."""
    SourceFileLoader.path_stats = _installed_stats  # type: ignore[assignment]
    sys.path[:] = [*folders, *sys.path]
    sys.path_hooks.insert(0, AskingFinder.for_folder)
    sys.meta_path.insert(sys.meta_path.index(PathFinder), NamespacesLast())
    sys.path_importer_cache.clear()
    PathFinder.find_spec("?")  # has it look at each folder now, and not when a block first imports something


class NamespacesLast:
    """Looks for folders without Python, which are packages as well, only if there is no other module of the name."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is; None if it is nowhere."""
        _search.skips_namespaces = True
        try:
            spec = PathFinder.find_spec(name, path, target)
        finally:
            _search.skips_namespaces = False
        return PathFinder.find_spec(name, path, target) if spec is None or spec.loader is None else spec


class AskingFinder(FileFinder):
    """Finds modules in one folder, and asks for each file that a module could be."""

    @classmethod
    def for_folder(cls, path: str) -> AskingFinder:
        """Return the finder of a folder.

        Raises:
            ImportError: it is for Python's own to look there: in its library, and inside of installed packages.
        """
        parts = Path(path).parts
        is_inside = bool(PACKAGES & {*parts[:-1]}) or (
            f"{path}{os.sep}".startswith(INSTALLED) and parts[-1] not in PACKAGES
        )
        if is_inside or os.path.isfile(path):  # an archive, or a script that `runpy` asks for
            raise ImportError(path)
        return cls(path)

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return where a module is; None if it is not in this folder."""
        folder = os.path.join(os.path.abspath(self.path), fullname.rpartition(".")[2])
        for stem, below in ((os.path.join(folder, "__init__"), [folder]), (folder, None)):
            for suffix, loader in LOADERS:
                if os.path.isfile(stem + suffix):
                    return spec_from_file_location(
                        fullname,
                        stem + suffix,
                        loader=loader(fullname, stem + suffix),
                        submodule_search_locations=below,
                    )
        if not _search.skips_namespaces and os.path.isdir(folder):
            namespace = ModuleSpec(fullname, None)
            namespace.submodule_search_locations = [folder]
            return namespace
        return None


class _Search(threading.local):
    skips_namespaces = False


_search = _Search()


def _installed_stats(_: object, path: Any) -> Mapping[str, Any]:
    """Return what bytecode of an installed module is compared with; fail for others, which then have no bytecode."""
    if not path.startswith(INSTALLED) and not PACKAGES & {*Path(path).parts}:
        raise OSError(f"no bytecode for {path}")
    status = os.stat(path)
    return {"mtime": status.st_mtime, "size": status.st_size}
