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
from typing import Any

from codeout.kernel.file_states import original_stat

INSTALLED = str(Path(os.__file__).parent) + os.sep  # the library of Python
PACKAGES = {"site-packages", "dist-packages"}


def import_from(folders: Sequence[str]) -> None:
    """Let blocks import from folders, ahead of every module that is not built into Python.

    Args:
        folders: absolute paths.
    """

    def author_finder(path: str) -> FileFinder:
        if "site-packages" in path or not _is_inside(path, folders) or Path(path).is_file():  # `runpy` asks for files
            raise ImportError(path)
        return FileFinder(path, (SourceFileLoader, SOURCE_SUFFIXES), (ExtensionFileLoader, EXTENSION_SUFFIXES))

    SourceFileLoader.path_stats = _installed_stats  # type: ignore[assignment]
    sys.path[:] = [*folders, *sys.path]
    sys.path_hooks.insert(0, author_finder)


def _installed_stats(_: object, path: Any) -> Mapping[str, Any]:
    """Return what bytecode of an installed module is compared with.

    Bytecode of any other would be stale after an edit that keeps size and second; it is neither read nor written.

    Raises:
        OSError: the file is not there, or not of Python or an installed package.
    """
    if not path.startswith(INSTALLED) and not PACKAGES & {*Path(path).parts}:
        raise OSError(f"no bytecode for {path}")
    status = original_stat(path)
    return {"mtime": status.st_mtime, "size": status.st_size}


def _is_inside(path: str, folders: Sequence[str]) -> bool:
    normal = os.path.normpath(path)
    return any(normal == folder or normal.startswith(folder + os.sep) for folder in folders)
