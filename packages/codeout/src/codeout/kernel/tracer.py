"""Observe what the blocks of a session read: files, folders, modules, programs, variables. By an audit hook, PEP 578.

What is read is noted once, at the moment when it is read, with the state that it has then; the parent makes digests of
it. Not noted: the kernel's own files and the scratch folder, the standard library, `/proc`, `/sys` and `/dev`, and what
the session itself has written. Processes that a block forks or starts with this Python note what they read as well.

The hook runs for each of the many events of an interpreter, so it looks one name up and returns.
"""

from __future__ import annotations

import functools
import json
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, KeysView
from importlib.machinery import all_suffixes
from types import FrameType
from typing import Any

from codeout.kernel import scratch as names

State = None | str | list[int]
"""Of something that was read: None if it did not exist; [size, modification time in ns, inode, change time in ns] of
a regular file; a word otherwise."""

FOLDER_VARIABLE = "CODEOUT_SCRATCH"  # names the scratch folder for those that do not inherit this module's state
CHILDREN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "children")  # has a `sitecustomize` for them
RECENT = 100_000_000  # nanoseconds: a file that was changed so recently may change again without a new time
OUTSIDE = ("/proc/", "/sys/", "/dev/")
IMPORT_SYSTEM = "<frozen importlib._bootstrap_external>"
METADATA_SEARCH = "importlib/metadata/__init__.py"  # lists folders to find a package, or the plugins of all
PASSED_BY = ("logging/__init__.py", "inspect.py", "traceback.py", "warnings.py")  # they look at frames for a caller
NAME_READERS = ("collections/__init__.py", "typing.py", "enum.py")  # they look for the name of a caller's module
SEARCHERS = ("get_exec_path", "which")  # functions that read PATH only to find a program, which is noted itself

_stat = os.stat


class Tracer:
    """What this process has read, and on request what other processes of the session have."""

    def __init__(self, scratch: str) -> None:
        """Note nothing yet; the scratch folder is the session's."""
        self.used_network = False
        self.reads_lines = False
        """Whether a block looked at the line numbers of blocks."""
        self.block_files: set[str] = set()
        """The files that blocks come from, as tracebacks name them."""
        self._scratch = scratch.rstrip(os.sep) + os.sep
        self._library = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
        self._engine = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
        self._package_folders = _package_folders()
        self._observed: list[list[Any]] = []
        self._seen: set[tuple[str, str]] = set()
        self._written: set[str] = set()
        self._imports: set[str] = set()
        self._log_path = os.path.join(scratch, names.INPUTS)  # one JSON array per line
        self._position = 0  # in the log: what is before it has been taken
        self._is_looking = False
        self._child_log: int | None = None  # a descriptor; None in the kernel itself
        self._handlers: dict[str, Callable[..., None]] = {
            "open": self._on_open,
            "import": self._on_import,
            "os.listdir": self._on_list,
            "os.scandir": self._on_list,
            "os.remove": self._on_write,
            "os.rename": self._on_rename,
            "os.mkdir": self._on_write,
            "os.rmdir": self._on_write,
            "os.symlink": self._on_rename,
            "os.link": self._on_rename,
            "sqlite3.connect": self._on_read,
            "ctypes.dlopen": self._on_load_library,
            "subprocess.Popen": self._on_start,
            "os.posix_spawn": self._on_start,
            "os.exec": self._on_start,
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
        self._observe_status()
        os.environ.__class__ = _observed_environment(self._on_variable)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.become_child)

    def become_child(self) -> None:
        """Go on in a process that the kernel has forked, or in one that a block has started."""
        self._child_log = os.open(self._log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0))

    def become_kernel(self) -> None:
        """Go on as the kernel, in a process that resumes from a checkpoint."""
        if self._child_log is not None:
            os.close(self._child_log)
        self._child_log = None
        self._observed.clear()
        self._position = os.path.getsize(self._log_path) if os.path.exists(self._log_path) else 0

    def take(self) -> dict[str, Any]:
        """Return what was observed since the last call, as fields of an event."""
        self._note_missing_modules()
        self._read_log()
        taken = {"observed": self._observed, "reads_lines": self.reads_lines, "used_network": self.used_network}
        self._observed, self.reads_lines, self.used_network = [], False, False
        return taken

    # ------------------------------------------------------------------------------------------------------ events

    def _on_open(self, path: Any, mode: Any, flags: int) -> None:
        access = flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
        if access == os.O_RDONLY:
            self._on_read(path)
            return
        name = self._absolute(path)
        if name is not None:
            if access == os.O_RDWR and not flags & os.O_TRUNC:
                self._note_file(name)
            self._written.add(name)

    def _on_read(self, path: Any) -> None:
        name = self._absolute(path)
        if name is not None:
            self._note_file(name)

    def _on_write(self, path: Any, *_: Any) -> None:
        name = self._absolute(path)
        if name is not None:
            self._written.add(name)

    def _on_rename(self, source: Any, target: Any, *_: Any) -> None:
        self._on_write(source)
        self._on_write(target)

    def _on_import(self, module: str, file: Any, *_: Any) -> None:
        if file:
            self._on_read(file)
        else:
            self._imports.add(module)

    def _on_list(self, path: Any) -> None:
        caller = self._frame(3).f_code.co_filename.replace(os.sep, "/")
        name = self._absolute(os.curdir if path is None else path)
        if caller == IMPORT_SYSTEM or name is None or name in self._written:
            return
        place = name + os.sep
        if caller.endswith(METADATA_SEARCH):
            if place in self._package_folders:
                self._note("entry_points", "")
        elif place not in self._package_folders and self._package_of(name):
            self._note_package(name)
        elif self._is_new("folder", name):
            self._send("folder", name, _digest_names(name))

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
            for program in _programs_in(os.fsdecode(command)):
                self._note_program(program)

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
        self._note("variable", name)

    def _on_status(self, path: Any) -> None:
        name = self._absolute(path)
        if name is None or name in self._written or ("file", name) in self._seen:
            return
        if self._package_of(name):
            self._note_package(name)
        elif self._is_new("status", name):
            self._send("status", name, _kind(name))

    def _frame(self, depth: int) -> FrameType:
        """Return the frame that is so many calls above, without taking that for an act of the block's."""
        self._is_looking = True
        try:
            return sys._getframe(depth)  # noqa: SLF001  # it has no other name
        finally:
            self._is_looking = False

    # ------------------------------------------------------------------------------------------------------- notes

    def _absolute(self, path: Any) -> str | None:
        """Return the absolute path of what was named to a function; None if it is not to be noted."""
        if isinstance(path, int):
            return None
        try:
            name = os.path.abspath(os.fsdecode(path))
        except (TypeError, ValueError, OSError):  # not a path, or the working folder is gone
            return None
        if "\0" in name or name.startswith(OUTSIDE) or name.startswith(self._engine):
            return None
        if (name + os.sep).startswith(self._scratch):
            return self._linked(name)
        if name.startswith(self._library) and not self._package_of(name):
            return None
        return name

    def _linked(self, name: str) -> str | None:
        """Return where a path in the scratch folder leads by a link, such as one of the settings; None without one."""
        end = len(self._scratch)
        while end > 0:
            end = name.find(os.sep, end)
            part = name if end < 0 else name[:end]
            try:
                return self._absolute(os.path.join(os.path.dirname(part), os.readlink(part)) + name[len(part) :])
            except OSError:  # not a link
                end += 1
        return None

    def _note_file(self, name: str) -> None:
        if self._package_of(name):
            self._note_package(name)
            return
        folder, base = os.path.split(name)
        if os.path.basename(folder) == "__pycache__" and base.endswith(".pyc"):  # it is as good as its source
            name = os.path.join(os.path.dirname(folder), base.partition(".")[0] + ".py")
        if name not in self._written and self._is_new("file", name):
            self._send("file", name, _state(name))

    def _package_of(self, name: str) -> str:
        """Return the folder of installed packages that a path is in; an empty string if it is in none."""
        return next((folder for folder in self._package_folders if name.startswith(folder)), "")

    def _note_package(self, name: str) -> None:
        """Note a file in a folder of installed packages by the name directly in that folder."""
        folder = self._package_of(name)
        parts = name[len(folder) :].split(os.sep)
        if parts[0] == "__pycache__" and len(parts) > 1:
            parts = [parts[1].partition(".")[0] + ".py"]
        if parts[-1] != "entry_points.txt":  # read for every package to find plugins, and noted as `entry_points`
            self._note("package", folder + parts[0])

    def _note_program(self, name: str) -> None:
        if os.path.dirname(name):
            self._on_read(name)
        else:
            self._note("program", name)

    def _note_missing_modules(self) -> None:
        """Note where modules were looked for and not found: one that appears there is found first, or at all."""
        missing: dict[str, set[str]] = {}
        imported, self._imports = self._imports, set()
        for module in imported:
            package, _, name = module.rpartition(".")
            parent = sys.modules.get(package)
            places = list(getattr(parent, "__path__", ())) if package else sys.path
            for folder in self._folders_before(places, module):
                missing.setdefault(folder, set()).add(name)
        for folder, modules in missing.items():
            new = sorted(name for name in modules if self._is_new("missing", os.path.join(folder, name)))
            if new:
                self._send("missing", folder, ",".join(new))

    def _folders_before(self, folders: Iterable[str], module: str) -> Iterator[str]:
        """Yield the folders that were searched for a module before the one in which it was found, if it was."""
        found = _origin(sys.modules.get(module))
        for folder in map(os.path.abspath, folders):
            place = folder + os.sep
            if found.startswith(place) and (not self._package_of(found) or self._package_of(place)):
                return
            if not found and _has_module(place + module.rpartition(".")[2]):
                return  # it was found, and a block has made Python forget it
            if (place.startswith(self._library) and not self._package_of(place)) or folder.endswith(".zip"):
                if found == "standard library":
                    return
                continue
            if self._package_of(place) not in ("", place) or place.startswith(self._scratch):
                continue  # inside of a package, whose version says it all
            yield folder

    def _note(self, kind: str, name: str, state: State = None) -> None:
        if self._is_new(kind, name):
            self._send(kind, name, state)

    def _is_new(self, kind: str, name: str) -> bool:
        """Return whether something is noted for the first time, and remember it."""
        if (kind, name) in self._seen:
            return False
        self._seen.add((kind, name))
        return True

    def _send(self, kind: str, name: str, state: State) -> None:
        if self._child_log is None:
            self._observed.append([kind, name, state])
        else:
            os.write(self._child_log, json.dumps([kind, name, state]).encode() + b"\n")

    def _read_log(self) -> None:
        """Take what other processes of the session have noted."""
        if not os.path.exists(self._log_path):
            return
        with open(self._log_path, "rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # it is being written
                self._position += len(line)
                try:
                    kind, name, state = json.loads(line)
                except ValueError:  # a block has written to the file
                    continue
                self._note(str(kind), str(name), state)

    def _observe_status(self) -> None:
        """Have `os.stat` and what is made of it, such as `os.path.exists`, note what is asked for: it has no event."""
        os.stat = _with_note(_stat, self._on_status)


def _with_note(function: Callable[..., os.stat_result], note: Callable[[Any], None]) -> Callable[..., os.stat_result]:
    @functools.wraps(function)
    def observed(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        note(path)
        return function(path, *arguments, **options)

    for capabilities in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if function in capabilities:
            capabilities.add(observed)
    return observed


def _observed_environment(note: Callable[[str], None]) -> type[Any]:
    """Return a class for `os.environ` that notes which variables are read, but for copies of all."""

    class ObservedEnvironment(type(os.environ)):  # type: ignore[misc]
        _to_copy = 0  # variables that a copy, which begins with `keys`, has still to read

        def keys(self) -> KeysView[str]:
            self._to_copy = len(self)
            return super().keys()  # type: ignore[no-any-return]

        def __getitem__(self, name: str) -> str:
            if self._to_copy:
                self._to_copy -= 1
            else:
                note(name)
            return str(super().__getitem__(name))

    return ObservedEnvironment


def _package_folders() -> tuple[str, ...]:
    """Return the folders of installed packages, each with a separator at its end."""
    names = ("site-packages", "dist-packages")
    return tuple(os.path.abspath(path) + os.sep for path in sys.path if path.rstrip(os.sep).endswith(names))


def _has_module(path: str) -> bool:
    """Return whether there is a module or package at a path that lacks its ending."""
    return any(_kind(path + suffix) for suffix in ("", *all_suffixes()))


def _origin(module: Any) -> str:
    """Return the path of a module's file, or of its folder; "" if it is not loaded."""
    if module is None:
        return ""
    try:
        spec = object.__getattribute__(module, "__dict__").get("__spec__")  # any other access would load a lazy module
    except AttributeError:  # not a module, such as a library of cffi
        spec = None
    if spec is None or spec.origin in ("built-in", "frozen"):
        return "standard library"
    if spec.origin:
        return str(spec.origin)
    return next(iter(spec.submodule_search_locations or ()), "standard library")


def _kind(name: str) -> str | None:
    """Return what a path leads to, and the size of a file; None if it does not exist."""
    try:
        status = _stat(name)
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(status.st_mode):
        return f"{status.st_size} bytes"
    return "folder" if stat.S_ISDIR(status.st_mode) else "special"


def _state(name: str) -> State:
    """Return the state of a file; of one that was just changed, the digest of what it holds."""
    try:
        status = _stat(name)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return "folder" if stat.S_ISDIR(status.st_mode) else "special"
    if time.time_ns() - status.st_mtime_ns < RECENT:
        return "sha256:" + _digest_file(name)
    return [status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns]


def _digest_file(name: str) -> str:
    import hashlib  # rarely needed

    try:
        with open(name, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _digest_names(folder: str) -> str | None:
    """Return a digest of the names in a folder; None if it does not exist."""
    import hashlib

    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return None
    return hashlib.sha256("\0".join(names).encode("utf8", "surrogateescape")).hexdigest()


def _programs_in(command: str) -> Iterator[str]:
    """Yield the first word of each command of a shell's command line, where that is simple to tell."""
    for part in command.replace("&", ";").replace("|", ";").replace("\n", ";").split(";"):
        words = part.split()
        if words and all(character.isalnum() or character in "._-+/" for character in words[0]):
            yield words[0]
