"""The supervisor: the parent of a kernel, which looks at each of its system calls that names a path before it goes on.

It is a process of its own, so that nothing that a block does stops it, and an ancestor of all that it looks at, since
only an ancestor may read another's memory where Yama is on (`ptrace_scope` 1). It ends when none of them is left, or
when the build is gone. This observes honest code and is no sandbox: a path may change between the look and the call.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
from collections.abc import Callable
from typing import Any

from codeout.kernel import scratch
from codeout.observe.places import Places
from codeout.observe.record import Record
from codeout.observe.seccomp import Listener, Memory, Report, this_machine

AT_FDCWD, AT_SYMLINK_NOFOLLOW = -100, 0x100
AF_INET, AF_INET6 = 2, 10
LOCAL = (b"", b"\0", b"\x7f")  # first bytes of addresses of this machine
NAME_SERVICE = 53  # a port: asking for an address is use of the network, even of a resolver on this machine


class Supervisor:
    """Answers the reports of a kernel and its descendants, and what the build asks about them."""

    def __init__(self, kernel: int, listener: Listener, build: socket.socket, places: Places) -> None:
        """Take the kernel's process id, the listener that it has handed over, and the connection to the build."""
        self._kernel, self._listener, self._build, self._places = kernel, listener, build, places
        self._records = {kernel: Record(places)}
        self._threads: dict[int, Record] = {}  # a cache: whom a thread belongs to
        machine = this_machine()
        numbers = machine.calls if machine else {}
        self._calls = {number: _CALLS[name] for name, number in numbers.items()}
        self._looks = {number: _LOOKS[name] for name, number in numbers.items() if name in _LOOKS}
        self._memory = Memory()
        self._requests = b""

    def run(self, ended: int, folder: str) -> None:
        """Work until no process is left that reports.

        Args:
            ended: a descriptor that tells when the kernel has ended.
            folder: the scratch folder.
        """
        poll = select.poll()
        for descriptor in (ended, self._build.fileno(), self._listener.descriptor):
            poll.register(descriptor, select.POLLIN)
        is_running = is_observing = True
        while is_observing:
            for descriptor, event in poll.poll():
                if descriptor == self._build.fileno():
                    if not self._answer_build():
                        return
                elif descriptor == ended or not event & select.POLLIN:  # nobody may be left who could report
                    is_observing &= descriptor == ended
                    if is_running:
                        leave_exit_status(self._kernel, folder)
                        poll.unregister(ended)
                        is_running = False
                else:
                    self._answer_report()

    def _answer_report(self) -> None:
        """Look at a call, and let it go on."""
        report = self._listener.receive()
        if report is None:
            return
        try:
            record = self._record_of(report.thread)
            call = Call(report, record, self._memory)
            looks = self._looks.get(report.number)
            if looks is None or not self._is_seen(call, report.number, *looks):
                self._calls[report.number](call)
        except OSError:  # the one who called is gone, or what it has named
            pass
        finally:
            self._listener.let_go_on(report)

    def _is_seen(self, call: Call, number: int, position: int, flags: int | None) -> bool:
        """Return whether the same look at an absolute path has been noted already: imports repeat most of theirs."""
        path, flag = call.text(position), 0 if flags is None else call.arguments[flags]
        if not path.startswith(b"/") or path.startswith(b"/proc/") or flag & _CHANGES:
            return False
        key = (number, flag, path)
        if key in call.record.seen:
            return True
        call.record.seen.add(key)
        return False

    def _answer_build(self) -> bool:
        """Answer a request: [pid] takes what it has touched, [pid, other] makes the other go on from it."""
        self._collect_orphans()
        chunk = self._build.recv(4_096)
        *lines, self._requests = (self._requests + chunk).split(b"\n")
        for line in lines:
            pid, *others = json.loads(line)
            self._threads.clear()  # numbers of threads are used again some day
            record = self._records.get(pid) or self._record_of(pid)
            for other in others:
                self._records[other] = record.copy()
            answer: dict[str, Any] = {} if others else record.take()
            with contextlib.suppress(OSError):  # the build is gone, or will be
                self._build.sendall(json.dumps(answer).encode() + b"\n")
        return bool(chunk)

    def _collect_orphans(self) -> None:
        """Let go of processes that have ended after their parents, all but the kernel."""
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid == self._kernel:
                    break
                os.waitpid(ended.si_pid, 0)

    def _record_of(self, thread: int) -> Record:
        """Return the record of the process from which a thread descends."""
        record = self._threads.get(thread)
        if record is None:
            pid = thread
            while pid > 1 and pid not in self._records:
                pid = _parent(pid)
            record = self._threads[thread] = self._records.get(pid) or self._records[self._kernel]
        return record


class Call:
    """A system call, with what it is asked about."""

    def __init__(self, report: Report, record: Record, memory: Memory) -> None:
        self.arguments, self.record = report.arguments, record
        self._thread, self._memory = report.thread, memory
        self._texts: dict[int, bytes] = {}

    def text(self, position: int) -> bytes:
        """Return an argument that is a text."""
        if position not in self._texts:
            self._texts[position] = self._memory.read_text(self._thread, self.arguments[position])
        return self._texts[position]

    def path(self, position: int, folder: int | None = None) -> str:
        """Return an argument that is a path, absolute; `folder` is the argument to which it may be relative.

        Raises:
            OSError: the process is gone.
        """
        path = os.fsdecode(self.text(position))
        descriptor = AT_FDCWD if folder is None else _signed(self.arguments[folder])
        if path.startswith("/proc/self/"):
            path = f"/proc/{self._thread}/{path[11:]}"
        elif path.startswith("/dev/fd/"):
            path = f"/proc/{self._thread}/fd/{path[8:]}"
        if path.startswith("/"):
            return path
        base = os.readlink(f"/proc/{self._thread}/" + ("cwd" if descriptor == AT_FDCWD else f"fd/{descriptor}"))
        return os.path.join(base, path) if path else base

    def working_folder(self) -> str:
        """Return the folder in which the process works."""
        return os.readlink(f"/proc/{self._thread}/cwd")

    def folder(self) -> str:
        """Return the folder whose names are read."""
        return os.readlink(f"/proc/{self._thread}/fd/{_signed(self.arguments[0])}")

    def flags(self) -> int:
        """Return the flags of `openat2`, the first field of a structure."""
        return int.from_bytes(self._memory.read(self._thread, self.arguments[2], 8), "little")

    def is_network(self) -> bool:
        """Return whether the address to connect to is another machine's."""
        address = self._memory.read(self._thread, self.arguments[1], min(self.arguments[2], 28))
        family, port = int.from_bytes(address[:2], "little"), int.from_bytes(address[2:4], "big")
        if family == AF_INET:
            return port == NAME_SERVICE or address[4:5] not in LOCAL
        host = address[8:24]
        is_mapped_local = host.startswith(bytes(10) + b"\xff\xff") and host[12:13] in LOCAL
        return family == AF_INET6 and (
            port == NAME_SERVICE or not (is_mapped_local or int.from_bytes(host, "big") <= 1)
        )


def _look(
    position: int, folder: int | None = None, flags: int | None = None, *, follow: bool = True
) -> Callable[[Call], None]:
    def tell(call: Call) -> None:
        is_link = flags is not None and call.arguments[flags] & AT_SYMLINK_NOFOLLOW
        call.record.look(call.path(position, folder), follow=follow and not is_link)

    return tell


def _connect(call: Call) -> None:
    call.record.used_network |= call.is_network()


def _touch(position: int, folder: int | None = None) -> Callable[[Call], None]:
    def tell(call: Call) -> None:
        call.record.touch(call.path(position, folder) if call.arguments[position] else call.folder())

    return tell


_CREATE = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
_CALLS: dict[str, Callable[[Call], None]] = {
    "open": lambda call: call.record.open(call.path(0), call.arguments[1]),
    "creat": lambda call: call.record.open(call.path(0), _CREATE),
    "openat": lambda call: call.record.open(call.path(1, 0), call.arguments[2]),
    "openat2": lambda call: call.record.open(call.path(1, 0), call.flags()),
    "truncate": lambda call: call.record.open(call.path(0), os.O_RDWR),
    "execve": lambda call: call.record.start(call.path(0), call.working_folder()),
    "execveat": lambda call: call.record.start(call.path(1, 0), call.working_folder()),
    "stat": _look(0),
    "lstat": _look(0, follow=False),
    "access": _look(0),
    "chdir": _look(0),
    "readlink": _look(0, follow=False),
    "newfstatat": _look(1, 0, 3),
    "statx": _look(1, 0, 2),
    "readlinkat": _look(1, 0, follow=False),
    "faccessat": _look(1, 0),
    "faccessat2": _look(1, 0, 3),
    "getdents": lambda call: call.record.list(call.folder()),
    "getdents64": lambda call: call.record.list(call.folder()),
    "mkdir": lambda call: call.record.make(call.path(0), is_folder=True),
    "mkdirat": lambda call: call.record.make(call.path(1, 0), is_folder=True),
    "mknod": lambda call: call.record.make(call.path(0)),
    "mknodat": lambda call: call.record.make(call.path(1, 0)),
    "symlink": lambda call: call.record.make(call.path(1)),
    "symlinkat": lambda call: call.record.make(call.path(2, 1)),
    "rmdir": lambda call: call.record.remove(call.path(0)),
    "unlink": lambda call: call.record.remove(call.path(0)),
    "unlinkat": lambda call: call.record.remove(call.path(1, 0)),
    "rename": lambda call: call.record.rename(call.path(0), call.path(1)),
    "renameat": lambda call: call.record.rename(call.path(1, 0), call.path(3, 2)),
    "renameat2": lambda call: call.record.rename(call.path(1, 0), call.path(3, 2)),
    "link": lambda call: call.record.link(call.path(0), call.path(1)),
    "linkat": lambda call: call.record.link(call.path(1, 0), call.path(3, 2)),
    "chmod": _touch(0),
    "fchmodat": _touch(1, 0),
    "fchmodat2": _touch(1, 0),
    "utimes": _touch(0),
    "utimensat": _touch(1, 0),
    "connect": _connect,
}
# Those that may change nothing, with the positions of the path and of the flags.
_LOOKS: dict[str, tuple[int, int | None]] = {
    "open": (0, 1),
    "openat": (1, 2),
    "newfstatat": (1, 3),
    "statx": (1, 2),
    "stat": (0, None),
    "lstat": (0, None),
    "access": (0, None),
    "faccessat": (1, None),
    "readlink": (0, None),
    "readlinkat": (1, None),
}
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def leave_exit_status(kernel: int, folder: str) -> None:
    """Write down how a kernel has ended, for the build, which is not its parent; only then is it gone."""
    status = os.waitid(os.P_PID, kernel, os.WEXITED | os.WNOWAIT)
    if status is not None:
        code = status.si_status if status.si_code == os.CLD_EXITED else -status.si_status
        with contextlib.suppress(OSError), open(os.path.join(folder, scratch.EXIT), "w", encoding="ascii") as file:
            file.write(str(code))
    os.waitpid(kernel, 0)


def _parent(pid: int) -> int:
    """Return the parent of a process, or of the process of a thread.

    Raises:
        OSError: it is gone.
    """
    with open(f"/proc/{pid}/status", "rb") as file:
        fields = dict(line.split(b":\t", 1) for line in file.read().split(b"\n") if b":\t" in line)
    group = int(fields[b"Tgid"])
    return group if group != pid else int(fields[b"PPid"])


def _signed(value: int) -> int:
    """Return an argument that is a descriptor as C has it."""
    return (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)
