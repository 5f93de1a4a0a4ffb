"""Where modules were looked for and not found: one that appears there is found first, or at all.

A folder without `__init__.py` is a module, a namespace package, only if no folder of the path has another of that name
(PEP 420). So a name that ends in a slash says that there was not even such a folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES

from codeout.kernel.file_states import describe_path, status_of
from codeout.kernel.places import Places

SUFFIXES = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES)  # not of bytecode: blocks import none of the author's


def find_missing(modules: Iterable[str], places: Places) -> Iterator[tuple[str, str]]:
    """Yield folder and name of each place in which Python has looked for a module before it found it, if it did.

    Args:
        modules: the names of modules whose import has begun.
        places: the folders that count.
    """
    for module in {*modules}.difference(sys.builtin_module_names):
        package, _, name = module.rpartition(".")
        path = list(getattr(sys.modules.get(package), "__path__", ())) if package else sys.path
        folders, is_found = _folders_before(path, name, places)
        for folder in folders:
            yield folder, name if is_found or _is_folder(os.path.join(folder, name)) else f"{name}/"


def is_missing(folder: str, name: str) -> bool:
    """Return whether a folder has no module of a name; if it ends in a slash, no folder of that name either."""
    path = os.path.join(folder, name.rstrip("/"))
    return not _has_module(path) and not (name.endswith("/") and _is_folder(path))


def _folders_before(path: Iterable[str], name: str, places: Places) -> tuple[list[str], bool]:
    """Return the folders of a path before the one that has a module, and whether there is one."""
    folders: list[str] = []
    for folder in map(os.path.abspath, path):
        place = folder + os.sep
        if _has_module(place + name):
            return folders, True
        if places.is_in_library(place) or folder.endswith(".zip") or place.startswith(places.scratch):
            continue
        if places.package_folder(place) in ("", place):  # not inside of a package, whose version says it all
            folders.append(folder)
    return folders, False


def _has_module(path: str) -> bool:
    """Return whether there is a module or a package, though not a namespace package, at a path without its ending."""
    package = os.path.join(path, "__init__")
    return any(status_of(path + suffix) for suffix in SUFFIXES) or (
        _is_folder(path) and any(status_of(package + suffix) for suffix in SUFFIXES)
    )


def _is_folder(path: str) -> bool:
    return describe_path(path) == "folder"
