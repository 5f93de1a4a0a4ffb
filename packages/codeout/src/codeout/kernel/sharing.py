"""What this process shares with others, by the system's own account: a fork is a copy only if that is nothing.

A fork has only the thread that forks, so whatever another thread was to do or to release does not happen in it. The
pools of OpenMP and OpenBLAS, and those of Python that wait for work, can be made anew; any other thread is shared, and
so is CUDA, which does not survive a fork. Of a descriptor a fork shares the position or the queue behind it, unless it
can open the same file for itself; a child of this process is no child of the fork, which cannot wait for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from codeout.kernel.pools import idle_workers

if sys.platform != "win32":
    import fcntl

PROCESS = Path("/proc/self")
STATELESS = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
DELETED = " (deleted)"
MAX_NAME = 15  # characters that Linux keeps of the name of a thread


class SharedState:
    """What a process shares besides what it had when it began."""

    def __init__(self) -> None:
        """Take the descriptors that there are now for the kernel's own."""
        self._own = _descriptors()
        self.forks: set[int] = set()
        """The ids of checkpoints and branches, which are the kernel's own children."""

    def renew(self) -> None:
        """Begin again in a fork, with its own descriptors."""
        self._own = _descriptors()
        self.forks = set()

    def open_files(self) -> list[OpenFile]:
        """Return the files that blocks have opened for reading, which a fork must open for itself."""
        files = (_open_file(number, path) for number, path in _descriptors().items() if self._own.get(number) != path)
        return [file for file in files if file]

    def describe(self) -> str:
        """Return what is shared, to complete "because"; an empty string if there is nothing."""
        if sys.platform != "linux":
            return "checkpoints need Linux"
        # What says most comes first: CUDA also starts threads, and memory that is shared has a descriptor, too.
        return self._children() or _mappings() or self._open_descriptors() or _timers() or _threads()

    def _open_descriptors(self) -> str:
        for number, target in _descriptors().items():
            if self._own.get(number) != target and (problem := _describe_descriptor(number, target)):
                return problem
        return ""

    def _children(self) -> str:
        names = []
        for task in (PROCESS / "task").iterdir():
            with contextlib.suppress(OSError):  # it has just ended
                pids = map(int, (task / "children").read_text().split())
                names += [_name_of(Path(f"/proc/{pid}")) for pid in pids if pid not in self.forks]
        return f"a program that a block has started is there ({', '.join(names)})" if names else ""


class OpenFile(NamedTuple):
    """A file that is open for reading."""

    number: int
    """Its descriptor."""
    path: str
    position: int
    is_inheritable: bool

    def reopen(self) -> None:
        """Give this process, a fork, a position of its own in the file, unless it has been closed meanwhile."""
        try:
            os.fstat(self.number)
        except OSError:
            return
        file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        os.lseek(file, self.position, os.SEEK_SET)
        os.dup2(file, self.number, inheritable=self.is_inheritable)
        os.close(file)


def _open_file(number: int, path: str) -> OpenFile | None:
    """Return what is open as such a file; None if it is anything else, or has no name any more."""
    try:
        is_read, status = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY, os.fstat(number)
        if is_read and stat.S_ISREG(status.st_mode) and os.path.samestat(status, Path(path).stat()):
            return OpenFile(number, path, os.lseek(number, 0, os.SEEK_CUR), os.get_inheritable(number))
    except OSError:  # closed meanwhile, or removed
        pass
    return None


def _descriptors() -> dict[int, str]:
    """Return where each open descriptor leads."""
    found = {}
    if sys.platform == "linux":
        for link in (PROCESS / "fd").iterdir():
            with contextlib.suppress(OSError):  # the one that lists the folder
                found[int(link.name)] = str(link.readlink())
    return found


def _describe_descriptor(number: int, target: str) -> str:
    """Return what is shared through a descriptor; an empty string if it is of no consequence."""
    if target.startswith("/dev/nvidia"):
        return "CUDA is in use"
    try:
        mode = os.fstat(number).st_mode
    except OSError:  # closed meanwhile
        return ""
    if target in STATELESS or stat.S_ISDIR(mode) or _open_file(number, target):
        return ""
    if target.startswith("/"):
        return f"{Path(target).name.removesuffix(DELETED)} is open (descriptor {number})"
    kind = target.partition(":")[0].replace("anon_inode", target.rpartition(":")[2].strip("[]"))
    return f"descriptor {number} is open: {kind}"


def _mappings() -> str:
    for line in (PROCESS / "maps").read_text(errors="replace").splitlines():
        _, access, _, _, _, *path = line.split(maxsplit=5)
        if access[1] == "w" and access[3] == "s":
            is_named = path and not path[0].endswith(DELETED)
            return f"memory is shared ({Path(*path).name})" if is_named else "memory is shared with other processes"
    return ""


def _timers() -> str:
    # A fork inherits none.
    own = (signal.getitimer(each) for each in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF))
    return "a timer runs" if any(left for left, _ in own) or (PROCESS / "timers").read_text() else ""


def _threads() -> str:
    idle = idle_workers()
    others = [t.name for t in threading.enumerate() if t is not threading.main_thread() and t not in idle]
    if others or len(sys._current_frames()) > 1 + len(idle):  # noqa: SLF001  # knows threads that `threading` does not
        return f"a thread runs ({', '.join(others) or 'started below Python'})"
    # A library names the threads of its own pool; those of OpenMP and OpenBLAS have no name, and since 3.14 those of
    # Python have theirs.
    ours = {_name_of(PROCESS), "", *(thread.name[:MAX_NAME] for thread in idle)}
    names = {*map(_name_of, (PROCESS / "task").iterdir())} - ours
    return f"a thread runs ({', '.join(sorted(names))})" if names else ""


def _name_of(folder: Path) -> str:
    """Return the name of a process or thread, by its folder in /proc; an empty string if it has just ended."""
    with contextlib.suppress(OSError):
        return (folder / "comm").read_text(errors="replace").strip()
    return ""
