"""Imports from the author's own folders: always from source, and known by their files."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import ModuleType
from typing import Any


class SourceOnlyLoader(SourceFileLoader):
    """Loads a module without bytecode, which would be stale after an edit that keeps size and second."""

    def path_stats(self, path: Any) -> Mapping[str, Any]:
        """Report that the source can't be compared with bytecode; it is then neither read nor written.

        Raises:
            OSError: always.
        """
        raise OSError(f"no bytecode for {path}")


def import_from(folders: Sequence[str]) -> None:
    """Let blocks import from folders, ahead of every module that is not built into Python.

    Args:
        folders: absolute paths.
    """

    def author_finder(path: str) -> FileFinder:
        if "site-packages" in path or not _is_inside(path, folders):
            raise ImportError(path)
        return FileFinder(path, (SourceOnlyLoader, SOURCE_SUFFIXES), (ExtensionFileLoader, EXTENSION_SUFFIXES))

    sys.path[:] = [*folders, *(path for path in sys.path if path not in ("", str(Path.cwd())))]
    sys.path_hooks.insert(0, author_finder)


def loaded_files(folders: Sequence[str]) -> list[str]:
    """Return the files of all loaded modules that are inside of folders, however they were imported."""
    files = {_file(module) for module in list(sys.modules.values())}
    return sorted(file for file in files if file and _is_inside(file, folders))


def _file(module: object) -> str | None:
    """Return the file of a module. A lazy module, which any attribute access would load, has none yet."""
    is_module = isinstance(module, ModuleType)
    file = object.__getattribute__(module, "__dict__").get("__file__") if is_module else getattr(module, "__file__", 0)
    return file if isinstance(file, str) else None


def _is_inside(path: str, folders: Sequence[str]) -> bool:
    normal = os.path.normpath(path)
    return any(normal == folder or normal.startswith(folder + os.sep) for folder in folders)
