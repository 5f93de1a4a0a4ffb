"""Notice that a process which resumed from a checkpoint waits for a thread that its copy does not have."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

MAX_IDLE = 8.0  # seconds without any processor time, while its main thread waits for a lock
LOCK = "futex"  # in the name of the kernel function in which a thread that waits for a lock sleeps


class Watchdog:
    """Watches a process that runs a block. Sleeping, reading and waiting for another process are no reason to worry."""

    def __init__(self, pid: int) -> None:
        """Begin to watch."""
        self._pid = pid
        self._used = -1.0
        self._since = time.monotonic()

    def is_stuck(self) -> bool:
        """Return whether the process has used no time for a while, and waits for a lock; call it now and then."""
        try:
            process = psutil.Process(self._pid)
            used = sum(sum(each.cpu_times()[:2]) for each in (process, *process.children(recursive=True)))
            place = Path(f"/proc/{self._pid}/wchan").read_text("utf8")
        except (psutil.Error, OSError):
            return False
        if used != self._used or LOCK not in place:
            self._used, self._since = used, time.monotonic()
        return time.monotonic() - self._since > MAX_IDLE
