"""The system's side of the supervisor: a filter that reports system calls, and what a report holds. Linux only.

seccomp_unotify(2) describes both; the numbers are those of `linux/seccomp.h`, `linux/bpf_common.h` and the tables of
system calls of each processor.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import platform
import struct
from typing import NamedTuple

PR_SET_NO_NEW_PRIVS = 38
SET_MODE_FILTER = 1
NEW_LISTENER, WAIT_KILLABLE = 1 << 3, 1 << 5  # the second since Linux 5.19: signals do not interrupt a reported call
RECEIVE, SEND, SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082104  # requests of ioctl(2)
SYNC_WAKE_UP = 1  # the supervisor runs on the core of the one that waits for it; since Linux 6.6
CONTINUE = 1  # let the call go on
LOAD, EQUAL, AT_LEAST, BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # instructions of BPF
ALLOW, NOTIFY, NO_SUCH_CALL = 0x7FFF0000, 0x7FC00000, 0x00050000 | errno.ENOSYS
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # places in `struct seccomp_data`
X32 = 0x40000000  # numbers of a third interface to x86-64 begin here
AT_EMPTY_PATH = 0x1000  # asks for an open file, whose opening has been reported
REPORT = struct.Struct("<QIIiIQ6Q")  # `struct seccomp_notif`
EMPTY = bytes(REPORT.size)
ANSWER = struct.Struct("<QqiI")  # `struct seccomp_notif_resp`


class Machine(NamedTuple):
    """What differs from processor to processor."""

    architecture: int
    """As the audit subsystem names it."""
    seccomp: int
    """The number of seccomp(2)."""
    calls: dict[str, int]
    """The numbers of the calls that are reported."""


SHARED = {"openat2": 437, "faccessat2": 439, "fchmodat2": 452}
MACHINES = {
    "x86_64": Machine(
        0xC000003E,
        317,
        {
            "open": 2,
            "stat": 4,
            "lstat": 6,
            "access": 21,
            "connect": 42,
            "execve": 59,
            "truncate": 76,
            "getdents": 78,
            "chdir": 80,
            "rename": 82,
            "mkdir": 83,
            "rmdir": 84,
            "creat": 85,
            "link": 86,
            "unlink": 87,
            "symlink": 88,
            "readlink": 89,
            "chmod": 90,
            "mknod": 133,
            "getdents64": 217,
            "utimes": 235,
            "openat": 257,
            "mkdirat": 258,
            "mknodat": 259,
            "newfstatat": 262,
            "unlinkat": 263,
            "renameat": 264,
            "linkat": 265,
            "symlinkat": 266,
            "readlinkat": 267,
            "fchmodat": 268,
            "faccessat": 269,
            "utimensat": 280,
            "renameat2": 316,
            "execveat": 322,
            "statx": 332,
            **SHARED,
        },
    ),
    "aarch64": Machine(
        0xC00000B7,
        277,
        {
            "mknodat": 33,
            "mkdirat": 34,
            "unlinkat": 35,
            "symlinkat": 36,
            "linkat": 37,
            "renameat": 38,
            "truncate": 45,
            "faccessat": 48,
            "chdir": 49,
            "fchmodat": 53,
            "openat": 56,
            "getdents64": 61,
            "readlinkat": 78,
            "newfstatat": 79,
            "utimensat": 88,
            "connect": 203,
            "execve": 221,
            "renameat2": 276,
            "execveat": 281,
            "statx": 291,
            **SHARED,
        },
    ),
}
IO_URING_SETUP = 425  # opens files past the filter; programs do without where it is not there
EMPTY_PATH_FLAGS = {"newfstatat": 3, "statx": 2}  # the argument that may say AT_EMPTY_PATH


class Instruction(ctypes.Structure):
    """An instruction of the filter, `struct sock_filter`."""

    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32))


class Program(ctypes.Structure):
    """The filter, `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(Instruction)))


class Part(ctypes.Structure):
    """A piece of memory, `struct iovec`."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class Report(NamedTuple):
    """A system call that waits for an answer."""

    id: int
    thread: int
    number: int
    arguments: tuple[int, ...]


def this_machine() -> Machine | None:
    """Return what is known of this processor; None if nothing is."""
    return MACHINES.get(platform.machine())


def install_filter() -> int:
    """Report the calls of this process, and of all that it will start; return the descriptor of the listener.

    Raises:
        OSError: the system cannot do that, or does not let us.
    """
    machine = this_machine()
    if machine is None:
        raise OSError(errno.ENOSYS, f"no filter for {platform.machine()}")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
    instructions = _instructions(machine)
    program = Program(len(instructions), (Instruction * len(instructions))(*instructions))
    for flags in (NEW_LISTENER | WAIT_KILLABLE, NEW_LISTENER):
        descriptor = libc.syscall(machine.seccomp, SET_MODE_FILTER, flags, ctypes.byref(program))
        if descriptor >= 0:
            return int(descriptor)
    raise OSError(ctypes.get_errno(), "seccomp")


def _instructions(machine: Machine) -> list[Instruction]:
    """Return a program that reports the calls of a machine, and lets all others pass."""
    notify, allow = Instruction(RETURN, 0, 0, NOTIFY), Instruction(RETURN, 0, 0, ALLOW)
    program = [
        Instruction(LOAD, 0, 0, ARCHITECTURE),
        Instruction(EQUAL, 1, 0, machine.architecture),
        allow,
        Instruction(LOAD, 0, 0, NUMBER),
        Instruction(AT_LEAST, 0, 1, X32),
        allow,
        Instruction(EQUAL, 0, 1, IO_URING_SETUP),
        Instruction(RETURN, 0, 0, NO_SUCH_CALL),
    ]
    for name, number in machine.calls.items():
        if (position := EMPTY_PATH_FLAGS.get(name)) is None:
            program += [Instruction(EQUAL, 0, 1, number), notify]
        else:
            program += [
                Instruction(EQUAL, 0, 4, number),
                Instruction(LOAD, 0, 0, ARGUMENTS + 8 * position),
                Instruction(BITS, 0, 1, AT_EMPTY_PATH),
                allow,
                notify,
            ]
    return [*program, allow]


class Listener:
    """Receives reports and answers them."""

    def __init__(self, descriptor: int) -> None:
        """Take the descriptor that `install_filter` has returned in the observed process."""
        self.descriptor = descriptor
        self._buffer = bytearray(REPORT.size)
        with contextlib.suppress(OSError):  # only slower
            fcntl.ioctl(descriptor, SET_FLAGS, SYNC_WAKE_UP)

    def receive(self) -> Report | None:
        """Return the next report; None if the one who called is gone by now."""
        self._buffer[:] = EMPTY  # the system insists
        try:
            fcntl.ioctl(self.descriptor, RECEIVE, self._buffer)
        except OSError:
            return None
        fields = REPORT.unpack(self._buffer)
        return Report(fields[0], fields[1], fields[3], fields[6:])

    def let_go_on(self, report: Report) -> None:
        """Let a call go on, unless the one who called is gone."""
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.descriptor, SEND, ANSWER.pack(report.id, 0, 0, CONTINUE))


class Memory:
    """Reads the memory of other processes, process_vm_readv(2)."""

    PAGE = 4_096

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None)
        self._buffer = ctypes.create_string_buffer(self.PAGE)
        self._local = Part(ctypes.cast(self._buffer, ctypes.c_void_p), self.PAGE)
        self._remote = Part()
        self._local_reference, self._remote_reference = ctypes.byref(self._local), ctypes.byref(self._remote)

    def read(self, pid: int, address: int, size: int) -> bytes:
        """Return so many bytes, at most a page, at an address of a process or thread; fewer where it has no more."""
        self._remote.base, self._remote.size = address, size
        count = self._libc.process_vm_readv(pid, self._local_reference, 1, self._remote_reference, 1, 0)
        return ctypes.string_at(self._local.base, count) if count > 0 else b""

    def read_text(self, pid: int, address: int) -> bytes:
        """Return the bytes from an address on up to the first zero; what there is of a path that is too long."""
        text = b""
        while len(text) <= self.PAGE:
            size = min(256 if not text else self.PAGE, self.PAGE - address % self.PAGE)
            part = self.read(pid, address, size)
            before, zero, _ = part.partition(b"\0")
            text += before
            if zero or not part:
                break
            address += len(part)
        return text
