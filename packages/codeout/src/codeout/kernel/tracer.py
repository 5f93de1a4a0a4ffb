"""Observe what the blocks of a session read: files, folders, modules, programs, variables. By an audit hook, PEP 578.

What is read is noted once, at the moment when it is read, with the state that it has then; the parent makes digests of
it. Not noted: the kernel's own files and the scratch folder, the standard library, `/proc`, `/sys` and `/dev`, and what
the session itself has written. Processes that a block forks or starts with this Python note what they read as well.

The hook runs for each of the many events of an interpreter, so it looks one name up and returns.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from codeout.kernel import observation_log
from codeout.kernel.file_states import describe_path, digest_file, digest_names, is_recent, status_of
from codeout.kernel.observation_log import ObservationLog, State, hide_folder, observe_environment, observe_stat
from codeout.kernel.places import CACHE_VARIABLE, Places, find_missing

FOLDER_VARIABLE = "CODEOUT_SCRATCH"  # names the scratch folder for those that do not inherit this module's state
CHILDREN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "children")  # has a `sitecustomize` for them
IMPORT_SYSTEM = "<frozen importlib._bootstrap_external>"
METADATA_SEARCH = "importlib/metadata/__init__.py"  # lists folders to find a package, or the plugins of all
PASSED_BY = ("logging/__init__.py", "inspect.py", "traceback.py", "warnings.py")  # they look at frames for a caller
NAME_READERS = ("collections/__init__.py", "typing.py", "enum.py")  # they look for the name of a caller's module
SEARCHERS = ("get_exec_path", "which")  # functions that read PATH only to find a program, which is noted itself


class Tracer:
    """What this process has read, and on request what other processes of the session have."""

    def __init__(self, scratch: str) -> None:
        """Take the scratch folder of the session."""
        self.used_network = False
        self.reads_lines = False
        """Whether a block looked at the line numbers of blocks."""
        self.block_files: set[str] = set()
        """The files that blocks come from, as tracebacks name them."""
        self.log = ObservationLog(scratch)
        self._places = Places(scratch)
        self._written: set[str] = set()
        self._newly_written: set[str] = set()  # since what was observed was last taken
        self._imports: set[str] = set()
        self._is_looking = False
        self._handlers: dict[str, Callable[..., None]] = {
            "open": self._on_open,
            "import": self._on_import,
            **dict.fromkeys(("os.listdir", "os.scandir"), self._on_list),
            **dict.fromkeys(("os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"), self._on_write),
            **dict.fromkeys(("os.rename", "os.symlink", "os.link"), self._on_rename),
            "sqlite3.connect": self._on_database,
            "ctypes.dlopen": self._on_load_library,
            **dict.fromkeys(("subprocess.Popen", "os.posix_spawn", "os.exec"), self._on_start),
            "os.spawn": lambda mode, program, *_: self._on_start(program),
            "os.system": self._on_shell,
            "socket.connect": self._on_connect,
            "socket.getaddrinfo": self._on_resolve,
            "sys._getframe": self._on_frame,
            "object.__getattr__": self._on_attribute,
        }

    def start(self) -> None:
        """Begin to observe; this lasts until the process ends."""
        find = self._handlers.get

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if handle := find(event):
                handle(*arguments)

        sys.addaudithook(hook)
        observe_stat(self._on_status)
        observe_environment(self._on_variable)
        if cache := os.environ.get(CACHE_VARIABLE):
            hide_folder(cache)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.log.become_child)

    def take(self) -> dict[str, Any]:
        """Return what was observed since the last call, as fields of an event."""
        self._note_missing_modules()
        fields = {
            "observed": [observation for observation in self.log.take() if not self._is_own(*observation)],
            "written": sorted(self._newly_written),
            "reads_lines": self.reads_lines,
            "used_network": self.used_network,
        }
        self._newly_written = set()
        self.reads_lines = self.used_network = False
        return fields

    def _is_own(self, kind: str, name: str, state: State) -> bool:
        """Return whether something was not there when it was looked for, and the session has created it since."""
        return kind in ("file", "status") and state is None and name in self._written

    def _on_open(self, path: Any, mode: Any, flags: int) -> None:
        access = flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
        if access == os.O_RDONLY:
            self._on_read(path)
            return
        if name := self._places.name(path):
            if access == os.O_RDWR and not flags & os.O_TRUNC:
                self._note_file(name)
            if flags & os.O_APPEND:  # a log: what is there stays, so it counts as nobody's
                self._written.add(name)
            else:
                self._note_written(name)

    def _on_read(self, path: Any) -> None:
        if name := self._places.name(path):
            self._note_file(name)

    def _on_database(self, path: Any) -> None:
        """Note a database; one that does not exist is created below Python."""
        if name := self._places.name(path):
            (self._note_file if describe_path(name) else self._note_written)(name)

    def _on_write(self, path: Any, *_: Any) -> None:
        if name := self._places.name(path):
            self._note_written(name)

    def _on_rename(self, source: Any, target: Any, *_: Any) -> None:
        self._on_write(source)
        self._on_write(target)

    def _on_import(self, module: str, file: Any, *_: Any) -> None:
        if file:
            self._on_read(file)
        else:
            self._imports.add(module)

    def _on_list(self, path: Any) -> None:
        frame = self._frame(3)
        if frame.f_code.co_filename == observation_log.__file__ and frame.f_back:
            frame = frame.f_back
        caller = frame.f_code.co_filename.replace(os.sep, "/")
        name = self._places.name(os.curdir if path is None else path)
        if caller == IMPORT_SYSTEM or name is None or name in self._written:
            return
        place = name + os.sep
        if caller.endswith(METADATA_SEARCH):
            if place in self._places.packages:
                self.log.add("entry_points", "")
        elif place not in self._places.packages and self._places.package_folder(name):
            self._note_package(name)
        elif self.log.is_new("folder", name):
            self.log.send("folder", name, digest_names(name) or None)

    def _on_load_library(self, name: Any) -> None:
        if isinstance(name, str | bytes | os.PathLike) and os.path.dirname(os.fsdecode(name)):
            self._on_read(name)

    def _on_start(self, program: Any, arguments: Any = (), *_: Any) -> None:
        if not isinstance(program, str | bytes | os.PathLike):
            return
        name = os.fsdecode(program)
        self._note_program(name)
        if os.path.basename(name) in ("sh", "bash") and isinstance(arguments, list | tuple) and "-c" in arguments[:2]:
            self._on_shell(arguments[-1])

    def _on_shell(self, command: Any) -> None:
        if isinstance(command, str | bytes):
            for part in re.split("[&|\n;]", os.fsdecode(command)):
                # The first word is a program, where that is simple to tell.
                if (words := part.split()) and all(each.isalnum() or each in "._-+/" for each in words[0]):
                    self._note_program(words[0])

    def _on_connect(self, _: Any, address: Any) -> None:
        if isinstance(address, tuple) and address:
            self._on_resolve(address[0])

    def _on_resolve(self, host: Any, *_: Any) -> None:
        name = host.decode("utf8", "replace") if isinstance(host, bytes) else str(host or "localhost")
        self.used_network |= not (name in ("localhost", "::1", "0.0.0.0") or name.startswith("127."))  # noqa: S104

    def _on_frame(self, frame: Any = None) -> None:
        if self.reads_lines or self._is_looking or frame is None:
            return
        if self._frame(3).f_code.co_filename.replace(os.sep, "/").endswith(NAME_READERS):
            return
        file = frame.f_code.co_filename
        while file.endswith(PASSED_BY) and frame.f_back:
            frame = frame.f_back
            file = frame.f_code.co_filename
        self.reads_lines = file in self.block_files

    def _on_attribute(self, _: Any, name: str) -> None:
        if name == "tb_frame":  # what formats a traceback asks for it
            self.reads_lines = True

    def _on_variable(self, name: str) -> None:
        frame: FrameType | None = self._frame(3)
        if frame and frame.f_code.co_name == "__iter__":  # of `items()`: all are read, and none is asked for
            return
        for _ in range(4):
            if frame is None or frame.f_code.co_name in SEARCHERS:
                return
            frame = frame.f_back
        self.log.add("variable", name)

    def _on_status(self, path: Any) -> None:
        name = self._places.name(path)
        if name is None or name in self._written or self.log.has("file", name):
            return
        if self._places.package_folder(name):
            self._note_package(name)
        elif self.log.is_new("status", name):
            self.log.send("status", name, describe_path(name) or None)

    def _frame(self, depth: int) -> FrameType:
        """Return the frame that is so many calls above, without taking that for an act of the block's."""
        self._is_looking = True
        try:
            return sys._getframe(depth)  # noqa: SLF001  # it has no other name
        finally:
            self._is_looking = False

    def _note_file(self, name: str) -> None:
        if self._places.package_folder(name):
            self._note_package(name)
            return
        folder, base = os.path.split(name)
        if os.path.basename(folder) == "__pycache__" and base.endswith(".pyc"):  # it is as good as its source
            name = os.path.join(os.path.dirname(folder), base.partition(".")[0] + ".py")
        if name not in self._written and self.log.is_new("file", name):
            self.log.send("file", name, _state(name))

    def _note_written(self, name: str) -> None:
        self._written.add(name)
        self._newly_written.add(name)

    def _note_package(self, name: str) -> None:
        """Note a file in a folder of installed packages by the name directly in that folder."""
        folder = self._places.package_folder(name)
        parts = name[len(folder) :].split(os.sep)
        if parts[0] == "__pycache__" and len(parts) > 1:
            parts = [parts[1].partition(".")[0] + ".py"]
        if parts[-1] != "entry_points.txt":  # read for every package to find plugins, and noted as `entry_points`
            self.log.add("package", folder + parts[0])

    def _note_program(self, name: str) -> None:
        if os.path.dirname(name):
            self._on_read(name)
        else:
            status = status_of(shutil.which(name) or name)
            self.log.add("program", name, list(status) if status else None)

    def _note_missing_modules(self) -> None:
        imports, self._imports = self._imports, set()
        missing: dict[str, list[str]] = {}
        for folder, module in find_missing(imports, self._places):
            if self.log.is_new("missing", os.path.join(folder, module)):
                missing.setdefault(folder, []).append(module)
        for folder, modules in missing.items():
            self.log.send("missing", folder, ",".join(sorted(modules)))


def _state(name: str) -> State:
    """Return the state of a file; of one that was just changed, the digest of what it holds."""
    status = status_of(name)
    if status is None:
        return describe_path(name) or None
    if not is_recent(status):
        return list(status)
    try:
        return "sha256:" + digest_file(name)
    except OSError:
        return None
