"""Which paths count, and where modules were looked for and not found.

The scratch folder, Python's library, installed packages and the engine itself are told apart here. A module that
appears where one was looked for in vain is found first, or at all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from typing import Any

from codeout.kernel.file_states import describe_path, status_of

CACHE_VARIABLE = "CODEOUT_CACHE"  # names the folder of the build cache, in which the home folder of blocks is
MAX_NAME, MAX_PATH = 255, 4_096  # bytes of the name of a file and of a path on Linux: nothing longer can exist
SUFFIXES = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES)  # not of bytecode: blocks import none of the author's
VOLATILE_FOLDERS = ("/proc/", "/sys/", "/dev/")  # they change at any time, and hold nothing that an author wrote


class Places:
    """The folders of this Python and this session."""

    def __init__(self, scratch: str) -> None:
        """Take the scratch folder of the session."""
        self.scratch = scratch.rstrip(os.sep) + os.sep
        cache = os.environ.get(CACHE_VARIABLE, "")
        self._excluded_prefixes = (*VOLATILE_FOLDERS, *([cache + os.sep] if cache else []))
        self.library = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
        self.engine = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
        names = ("site-packages", "dist-packages")
        folders = [os.path.abspath(path) + os.sep for path in sys.path if path.rstrip(os.sep).endswith(names)]
        self.packages = tuple(folders)
        """The folders of installed packages."""

    def name(self, path: Any) -> str | None:
        """Return the absolute path of what was named to a function; None if it does not count."""
        if isinstance(path, int):
            return None
        try:
            name = os.path.abspath(os.fsdecode(path))
        except (TypeError, ValueError, OSError):  # not a path, or the working folder is gone
            return None
        if "\0" in name or (name + os.sep).startswith((*self._excluded_prefixes, self.engine)):
            return None
        if len(name) > MAX_PATH or max(map(len, name.split(os.sep))) > MAX_NAME:  # text that some library looked up
            return None
        if (name + os.sep).startswith(self.scratch):
            return self._follow_link(name)
        return None if self.is_in_library(name) else name

    def is_in_library(self, name: str) -> bool:
        """Return whether a path is in Python's own library."""
        return name.startswith(self.library) and not self.package_folder(name)

    def package_folder(self, name: str) -> str:
        """Return the folder of installed packages that a path is in; an empty string if it is in none."""
        return next((folder for folder in self.packages if name.startswith(folder)), "")

    def _follow_link(self, name: str) -> str | None:
        """Return where a path in the scratch folder leads by a link, such as one of the settings; None without one."""
        end = len(self.scratch)
        while end > 0:
            end = name.find(os.sep, end)
            part = name if end < 0 else name[:end]
            try:
                return self.name(os.path.join(os.path.dirname(part), os.readlink(part)) + name[len(part) :])
            except OSError:  # not a link
                end += 1
        return None


def find_missing(modules: Iterable[str], places: Places) -> Iterator[tuple[str, str]]:
    """Yield folder and name of each place in which Python has looked for a module before it found it, if it did."""
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
    stems = [path, os.path.join(path, "__init__")] if _is_folder(path) else [path]
    return any(status_of(stem + suffix) for stem in stems for suffix in SUFFIXES)


def _is_folder(path: str) -> bool:
    return describe_path(path) == "folder"
