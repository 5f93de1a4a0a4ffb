"""The fallback where no supervisor can be: what Python's own audit events tell (PEP 578), few and plain.

Not seen are what other languages read, child processes, and libraries that read below Python.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
import threading
from collections.abc import Callable
from typing import Any

from codeout.observe.places import Places
from codeout.observe.record import Record

VARIABLE = "CODEOUT_AUDIT"
"""The environment variable that, if it is set, has the fallback observe where a supervisor could."""


class AuditObserver:
    """Observes the process in which it is."""

    def __init__(self, places: Places) -> None:
        """Take the places that count."""
        self._record = record = Record(places)
        self._looking = threading.local()  # looking at a path raises events, too
        self._handlers: dict[str, Callable[..., None]] = {
            "open": lambda path, _, flags: record.open(path, flags),
            "os.listdir": record.list,
            "os.scandir": record.list,
            "os.remove": self._unless_relative(record.remove),
            "os.rmdir": self._unless_relative(record.remove),
            "os.mkdir": self._unless_relative(functools.partial(record.make, is_folder=True)),
            "os.rename": lambda source, target, *_: record.rename(source, _absolute(target)),
            "os.link": lambda source, target, *_: record.link(source, _absolute(target)),
            "os.symlink": lambda _, target, *__: record.make(_absolute(target)),
            "os.truncate": lambda path, _: record.open(path, os.O_RDWR),
            "shutil.rmtree": lambda path, *_: self._remove_all(path),
            "sqlite3.connect": lambda path: record.open(path, os.O_RDWR | os.O_CREAT),
            "subprocess.Popen": lambda program, *_: self._start(program),
            "os.posix_spawn": lambda program, *_: self._start(program),
            "os.exec": lambda program, *_: self._start(program),
            "socket.connect": lambda _, address: self._connect(address[0] if isinstance(address, tuple) else ""),
            "socket.getaddrinfo": lambda host, *_: self._connect(host),
        }

    def start(self) -> None:
        """Begin to observe; this lasts until the process ends."""
        find = self._handlers.get

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if handle := find(event):
                self._tell(handle, event, arguments)

        sys.addaudithook(hook)
        os.stat = self._observed(os.stat)
        os.lstat = self._observed(os.lstat, follow=False)

    def take(self) -> dict[str, Any]:
        """Return what was touched since the last call, as fields of an event."""
        return {**self._record.take(), "observer": "python"}

    def _tell(self, handle: Callable[..., None], event: str, arguments: tuple[Any, ...]) -> None:
        if getattr(self._looking, "is_on", False):
            return
        self._looking.is_on = True
        try:
            handle(*(_absolute(arguments[0]), *arguments[1:]) if event in PATH_EVENTS else arguments)
        except (OSError, TypeError, ValueError):  # not a path, or the working folder is gone: the call will say so
            pass
        finally:
            self._looking.is_on = False

    def _observed(self, function: Callable[..., os.stat_result], *, follow: bool = True) -> Any:
        """Return a function like `os.stat` that notes what it is asked for."""

        @functools.wraps(function)
        def observed(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
            if options.get("dir_fd") is None:
                is_link = not follow or not options.get("follow_symlinks", True)
                self._tell(lambda path: self._record.look(path, follow=not is_link), "open", (path,))
            return function(path, *arguments, **options)

        for capabilities in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
            if function in capabilities:
                capabilities.add(observed)
        return observed

    def _unless_relative(self, note: Callable[[str], None]) -> Callable[..., None]:
        """Return a function that notes a path, but for one relative to a descriptor, as `rmtree` has them."""
        return lambda path, *rest: note(path) if not rest or rest[-1] < 0 else None

    def _remove_all(self, folder: str) -> None:
        for top, folders, files in os.walk(folder, topdown=False):
            for name in (*files, *folders):
                self._record.remove(os.path.join(top, name))
        self._record.remove(folder)

    def _start(self, program: Any) -> None:
        name = os.fsdecode(program)
        self._record.start(_absolute(shutil.which(name) or name), os.getcwd())

    def _connect(self, host: Any) -> None:
        name = host.decode("utf8", "replace") if isinstance(host, bytes) else str(host or "localhost")
        self._record.used_network |= not (name in ("localhost", "::1", "0.0.0.0") or name.startswith("127."))  # noqa: S104


PATH_EVENTS = {
    *("open", "os.listdir", "os.scandir", "os.remove", "os.rmdir", "os.mkdir", "os.rename", "os.link", "os.truncate"),
    *("shutil.rmtree", "sqlite3.connect"),
}
"""Those whose first argument is a path."""


def _absolute(path: Any) -> str:
    """Return a path that was named to a function as an absolute one.

    Raises:
        TypeError: it is none, or a descriptor, whose opening was noted.
    """
    if isinstance(path, int):
        raise TypeError(path)
    return os.path.join(os.getcwd(), os.fsdecode(os.curdir if path is None else path))
