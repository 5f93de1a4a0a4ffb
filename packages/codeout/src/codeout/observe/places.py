"""Which paths count as something that a session reads, and where they lead. They are text here: there are thousands."""

from __future__ import annotations

import errno
import os
import sys
from typing import NamedTuple

MAX_LINKS = 40  # that the system follows in a path before it gives up, path_resolution(7)
PACKAGE_FOLDERS = ("site-packages", "dist-packages")
VOLATILE = ("/proc", "/sys", "/dev")  # they change at any time, and hold nothing that an author wrote
SHARED_MEMORY = "/dev/shm/"  # noqa: S108  # but for this
LIBRARIES = ("/lib", "/usr/lib", "/usr/local/lib")
PLATFORM = ("/etc/ld.so.", "/etc/locale.alias", "/lib64", "/usr/lib/locale/", "/usr/share/locale/")
"""What belongs to the C library, which opens these by itself, as it does the shared objects in `LIBRARIES`."""
IMPOSSIBLE = (errno.ENAMETOOLONG, errno.ELOOP)


class Location(NamedTuple):
    """Where a path leads."""

    path: str
    """Absolute, and without links."""
    links: tuple[str, ...]
    """The links that were followed on the way."""


class Places:
    """The folders of this Python and of a session, and the way through links."""

    def __init__(self, scratch: str, cache: str, root: str) -> None:
        """Take the scratch folder of the session, the build cache, and the folder of the site."""
        engine = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        own = filter(None, (*VOLATILE, engine, scratch, cache, os.path.join(sys.prefix, "pyvenv.cfg")))
        self._ignored = tuple(os.path.realpath(folder) + os.sep for folder in own)
        self._python = {os.path.realpath(sys.executable)}
        self.library = os.path.realpath(os.path.dirname(os.__file__)) + os.sep
        folders = (path.rstrip(os.sep) for path in sys.path if path.rstrip(os.sep).endswith(PACKAGE_FOLDERS))
        self.packages = tuple(os.path.realpath(folder) + os.sep for folder in folders)
        """The folders of installed packages."""
        self.cache = os.path.realpath(cache) if cache else ""
        self._root = os.path.realpath(root) + os.sep
        self._folders: dict[str, Location] = {}

    def locate(self, path: str, *, follow: bool = True) -> Location:
        """Return where an absolute path leads; a link at its end is followed only if asked for.

        Raises:
            OSError: nothing can have such a path.
        """
        head, _, name = path.rpartition(os.sep)
        if name in ("", os.curdir, os.pardir) or head.startswith("/proc/"):  # whose links change
            return _walk(path, follow=follow)
        folder = self._folders.get(head)
        if folder is None:
            folder = self._folders[head] = _walk(head, follow=True)
        here = os.path.join(folder.path, name)
        if follow and _link_target(here):
            return _walk(path, follow=True)
        return Location(here, folder.links)

    def forget_links(self) -> None:
        """Look at all folders anew, since links may have changed."""
        self._folders.clear()

    def counts(self, path: str) -> bool:
        """Return whether a path is of the author's, of a package or of the system, and no part of Python or a build."""
        if (path + os.sep).startswith(self.library):
            return bool(self.package_folder(path))
        if path in self._python or (path + os.sep).startswith((*self._ignored, *PLATFORM)):
            return path.startswith(SHARED_MEMORY)
        return not (path.startswith(LIBRARIES) and (".so" in os.path.basename(path) or "/gconv/" in path))

    def is_above_root(self, path: str) -> bool:
        """Return whether a path is the folder of the site, or one around it: those are always there."""
        return self._root.startswith(path.rstrip(os.sep) + os.sep)

    def package_folder(self, path: str) -> str:
        """Return the folder of installed packages that a path is in; an empty string if it is in none."""
        return next((folder for folder in self.packages if path.startswith(folder)), "")


def _walk(path: str, *, follow: bool) -> Location:
    """Return where a path leads, as path_resolution(7) has it."""
    if sys.platform == "win32":
        return Location(os.path.realpath(path), ())
    here, links, parts = os.sep, [], [part for part in reversed(path.split(os.sep)) if part not in ("", os.curdir)]
    while parts:
        part = parts.pop()
        if part == os.pardir:
            here = os.path.dirname(here)
            continue
        here = os.path.join(here, part)
        target = _link_target(here) if parts or follow else ""
        if target:
            links.append(here)
            if len(links) > MAX_LINKS:
                break
            here = os.sep if target.startswith(os.sep) else os.path.dirname(here)
            parts += (each for each in reversed(target.split(os.sep)) if each not in ("", os.curdir))
    return Location(here, tuple(links))


def _link_target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError as problem:
        if problem.errno in IMPOSSIBLE:
            raise
        return ""
