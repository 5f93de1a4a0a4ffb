"""Decide which sessions may run at the same time.

Sessions that use the GPU run one after another, an exclusive session runs by itself, all others run in parallel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from codeout.cache import environment
from codeout.config import Config
from codeout.model.blocks import Session


class Scheduler:
    """Grants sessions the right to run. Any thread may use it."""

    def __init__(self, config: Config) -> None:
        """Read the patterns of exclusive sessions and of sessions that use the GPU from the settings."""
        self._config = config
        self._changed = Condition()
        self._running = self._on_gpu = 0
        self._exclusive_running = False

    def is_exclusive(self, session: Session) -> bool:
        """Return whether no other session may run at the same time, because this one measures time."""
        return session.matches(self._config.exclusive)

    @contextmanager
    def reserve(self, session: Session) -> Iterator[None]:
        """Wait until a session may run, and hold its slot while the body of the `with` statement runs."""
        exclusive, on_gpu = self.is_exclusive(session), self._needs_gpu(session)

        def may_run() -> bool:
            blocked = (exclusive and self._running) or (on_gpu and self._on_gpu)
            return not self._exclusive_running and not blocked

        with self._changed:
            self._changed.wait_for(may_run)
            self._running += 1
            self._on_gpu += on_gpu
            self._exclusive_running = exclusive
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._on_gpu -= on_gpu
                self._exclusive_running = False
                self._changed.notify_all()

    def _needs_gpu(self, session: Session) -> bool:
        return session.matches(self._config.gpu) and environment.detect_device() != "CPU"
