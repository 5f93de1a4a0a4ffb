"""Which sessions may run at once: those that use the GPU take turns on it, those that measure time run alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Condition

from codeout.cache import environment
from codeout.config import Config
from codeout.model.blocks import Block


class Scheduler:
    """Who runs now."""

    def __init__(self, config: Config) -> None:
        """Take the patterns of the sessions that share something with others, or nothing."""
        self._config = config
        self._free = Condition()
        self._running = self._on_gpu = 0
        self._alone = False

    def alone(self, session: Sequence[Block]) -> bool:
        """Return whether nothing may run beside a session."""
        return session[0].matches(self._config.exclusive)

    @contextmanager
    def take(self, session: Sequence[Block]) -> Iterator[None]:
        """Wait until a session may run, and run it."""
        alone, on_gpu = self.alone(session), self._needs_gpu(session)

        def may() -> bool:
            return not self._alone and not (alone and self._running) and not (on_gpu and self._on_gpu)

        with self._free:
            self._free.wait_for(may)
            self._running += 1
            self._on_gpu += on_gpu
            self._alone = alone
        try:
            yield
        finally:
            with self._free:
                self._running -= 1
                self._on_gpu -= on_gpu
                self._alone = False
                self._free.notify_all()

    def _needs_gpu(self, session: Sequence[Block]) -> bool:
        return session[0].matches(self._config.gpu) and environment.device() != "CPU"
