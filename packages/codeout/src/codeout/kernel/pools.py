"""Threads that wait for work in a pool of Python's own: a fork has none, and starts others when it needs them.

That holds for `concurrent.futures.ThreadPoolExecutor`, which is also what asyncio uses, once the fork has been told.
Other libraries cannot be told, so that their threads are an obstacle.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any


def idle_workers() -> set[threading.Thread]:
    """Return the threads of pools that have nothing to do."""
    return {thread for pool in _pools() if _is_idle(pool) for thread in pool._threads}  # noqa: SLF001


def forget_workers() -> None:
    """Let the pools start threads of their own, in a fork."""
    for pool in _pools():
        pool._threads.clear()  # noqa: SLF001
        pool._idle_semaphore = threading.Semaphore(0)  # noqa: SLF001


def _pools() -> Iterator[Any]:
    """Yield the pools that have started threads."""
    module: Any = sys.modules.get("concurrent.futures.thread")
    for thread in list(module._threads_queues) if module else ():  # noqa: SLF001
        # A thread keeps its arguments while it runs, with a reference to its pool among them.
        for argument in getattr(thread, "_args", None) or ():
            pool = argument() if callable(argument) else None
            if isinstance(pool, module.ThreadPoolExecutor):
                yield pool


def _is_idle(pool: Any) -> bool:
    """Return whether all threads of a pool wait for work, and there is none."""
    return bool(pool._work_queue.empty()) and pool._idle_semaphore._value >= len(pool._threads)  # noqa: SLF001
