"""Where modules were looked for and not found: one that appears there is found first, or at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import all_suffixes
from typing import Any

from codeout.kernel.file_states import describe_path
from codeout.kernel.places import Places

LIBRARY = "the library of Python"


def find_missing(modules: Iterable[str], places: Places) -> Iterator[tuple[str, str]]:
    """Yield folder and name of each place in which Python has looked for a module before it found it, if it did.

    Args:
        modules: the names of modules whose import has begun.
        places: the folders that count.
    """
    for module in modules:
        package, _, name = module.rpartition(".")
        folders = list(getattr(sys.modules.get(package), "__path__", ())) if package else sys.path
        for folder in _folders_before(folders, module, places):
            yield folder, name


def _folders_before(folders: Iterable[str], module: str, places: Places) -> Iterator[str]:
    origin = _origin(sys.modules.get(module))
    for folder in map(os.path.abspath, folders):
        place = folder + os.sep
        if origin.startswith(place) and (not places.package_folder(origin) or places.package_folder(place)):
            return
        if not origin and _has_module(place + module.rpartition(".")[2]):
            return  # it was found, and a block has made Python forget it
        if places.is_in_library(place) or folder.endswith(".zip"):
            if origin == LIBRARY:
                return
        elif places.package_folder(place) in ("", place) and not place.startswith(places.scratch):
            yield folder  # not inside of a package, whose version says it all


def _has_module(path: str) -> bool:
    """Return whether there is a module or package at a path that lacks its ending."""
    return any(describe_path(path + suffix) for suffix in ("", *all_suffixes()))


def _origin(module: Any) -> str:
    """Return the path of a module's file, or of its folder; an empty string if it is not loaded."""
    if module is None:
        return ""
    try:
        spec = object.__getattribute__(module, "__dict__").get("__spec__")  # any other access would load a lazy module
    except AttributeError:  # not a module, such as a library of cffi
        spec = None
    if spec is None or spec.origin in ("built-in", "frozen"):
        return LIBRARY
    return str(spec.origin or next(iter(spec.submodule_search_locations or ()), LIBRARY))
