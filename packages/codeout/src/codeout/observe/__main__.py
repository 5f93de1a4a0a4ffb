"""`python -P -m codeout.observe BUILD SCRATCH CONTROL LINK FOLDER...`: start a kernel in the current folder, observed.

BUILD is the process id of the build and SCRATCH the folder of the session's own files. Two descriptors follow, of
sockets to the build, or -1: on CONTROL the kernel hands over its forks, and on LINK its supervisor answers. Blocks may
import from the other folders.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
from typing import Any

from codeout.kernel.forks import adopt_orphans, end_with_parent
from codeout.kernel.imports import import_from
from codeout.kernel.serve import serve
from codeout.observe.audit import VARIABLE, AuditObserver
from codeout.observe.places import Places

PROBE = b"codeout"
"""What a supervisor must find in the memory of its kernel."""
CACHE, ROOT = "CODEOUT_CACHE", "CODEOUT_ROOT"


def main(build: int, scratch: str, control: int, link: int, folders: list[str]) -> None:
    """Become a kernel, or its supervisor; this ends the process and never returns."""
    places = Places(scratch, os.environ.get(CACHE, ""), os.environ.get(ROOT, os.getcwd()))
    fallback = AuditObserver(places)
    import_from(folders)
    end_with(build)
    if link < 0:
        serve(scratch, control, fallback)
    theirs, ours = socket.socketpair()
    supervisor = os.getpid()
    if not (kernel := os.fork()):
        ours.close()
        os.close(link)
        os.setsid()  # signals to the group of a block must not reach the supervisor
        end_with(supervisor)
        serve(scratch, control, SystemObserver(theirs, fallback))
    theirs.close()
    os.close(control)
    supervise(kernel, ours, socket.socket(fileno=link), scratch, places)
    os._exit(0)


def supervise(kernel: int, handover: socket.socket, build: socket.socket, scratch: str, places: Places) -> None:
    """Be the supervisor of a kernel until it has ended, or all that it has started."""
    from codeout.observe.seccomp import Listener, Memory
    from codeout.observe.supervisor import Supervisor, leave_exit_status

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the build says when to end
    with open(os.devnull, "r+b") as nothing:
        for descriptor in (0, 1):  # the kernel's connection, which must close when the kernel ends
            os.dup2(nothing.fileno(), descriptor)
    address, descriptors = handover.recv(8), list[int]()
    with contextlib.suppress(OSError):  # too old a system has no such thing
        ended = os.pidfd_open(kernel)
        if Memory().read(kernel, int.from_bytes(address, "little"), len(PROBE)) == PROBE:
            handover.sendall(b"!")
            _, descriptors, _, _ = socket.recv_fds(handover, 1, 1)
    handover.close()
    build.sendall(json.dumps([kernel, bool(descriptors)]).encode() + b"\n")
    if descriptors:
        Supervisor(kernel, Listener(descriptors[0]), build, places).run(ended, scratch)
    else:
        leave_exit_status(kernel, scratch)


class SystemObserver:
    """Has the system report the calls of a kernel to its supervisor; if it does not, the fallback observes."""

    def __init__(self, supervisor: socket.socket, fallback: AuditObserver) -> None:
        """Take the connection to the supervisor."""
        self._supervisor = supervisor
        self._fallback: AuditObserver | None = fallback

    def start(self) -> None:
        """Begin to observe."""
        probe = ctypes.create_string_buffer(PROBE)
        self._supervisor.sendall(ctypes.addressof(probe).to_bytes(8, "little"))
        # A supervisor that cannot read this process's memory hangs up: it would not see the paths.
        if self._supervisor.recv(1) and not os.environ.get(VARIABLE):
            self._hand_over_listener()
        self._supervisor.close()
        if self._fallback:
            self._fallback.start()

    def _hand_over_listener(self) -> None:
        from codeout.observe.seccomp import install_filter

        with contextlib.suppress(OSError):
            listener = install_filter()
            socket.send_fds(self._supervisor, [b"!"], [listener])
            os.close(listener)
            self._fallback = None

    def take(self) -> dict[str, Any]:
        """Return what was touched, as fields of an event; what the supervisor knows it is asked by the build."""
        return self._fallback.take() if self._fallback else {}


def end_with(parent: int) -> None:
    """End this process when its parent is gone, which may have ended already."""
    if sys.platform == "linux":
        end_with_parent()
        adopt_orphans()
        if os.getppid() != parent:
            os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
