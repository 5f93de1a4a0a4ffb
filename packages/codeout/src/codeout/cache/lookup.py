"""What the cache and the recordings have for the sessions of a site."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

from codeout.cache import environment
from codeout.cache.keys import Key, KeyedSession
from codeout.cache.recordings import Recordings, recordings_in
from codeout.cache.store import RunStore
from codeout.config import Config
from codeout.errors import BlockError, CodeoutError, PageError
from codeout.model.blocks import Block, Session
from codeout.model.expectations import has_unexpected_error, skipped_run
from codeout.model.outputs import Run


@dataclass(frozen=True, slots=True)
class CachedSession:
    """A session with the runs that the cache has of it."""

    keyed: KeyedSession
    """The blocks, with what their keys cover."""
    cached: tuple[Run | None, ...]
    """The run of each block; None for a miss."""

    @property
    def session(self) -> Session:
        """The blocks."""
        return self.keyed.session

    @property
    def name(self) -> str:
        """The name of the session."""
        return self.keyed.name

    @property
    def is_stale(self) -> bool:
        """Whether the run of a block is missing."""
        return None in self.cached

    @property
    def runs(self) -> list[Run]:
        """The runs that the cache has: of all blocks, unless the session is stale."""
        return [run for run in self.cached if run is not None]


class Lookup:
    """Finds the runs of sessions. It starts nothing but the site's `prepare` script."""

    def __init__(self, config: Config, *, retry_failed: bool = False) -> None:
        """Take the settings, and whether a stored failure counts as a miss."""
        self.config = config
        self.cache = RunStore(config.path(config.cache))
        self.recordings = Recordings(recordings_in(config.path(config.recordings)))
        self._shows_failures = config.errors == "show" and not retry_failed
        self._prepare_process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    def load(self, sessions: Iterable[Session]) -> list[CachedSession]:
        """Return sessions with what the cache has of them.

        Raises:
            PageError: data files are missing, or the script that prepares them failed.
        """
        sessions = list(sessions)
        if not sessions:
            return []
        self._wait_for_data()
        self.recordings.refresh()
        loaded, problems = [], []
        for session in sessions:
            try:
                loaded.append(self.peek(session))
            except PageError as problem:
                problems.append(problem)
        raise_all(problems)
        return loaded

    def peek(self, session: Session) -> CachedSession:
        """Return a session with what the cache has of it, without waiting for data.

        Raises:
            PageError: data files are missing.
        """
        keyed = environment.add_keys(session, self.config)
        cached: list[Run | None] = []
        for block, inputs in keyed:
            run = self.get(block, inputs.key)
            cached.append(run)
            if run and has_unexpected_error(block, run):
                cached += [skipped_run(run, block)] * (len(keyed) - len(cached))
                break
        return CachedSession(keyed, tuple(cached))

    def get(self, block: Block, key: Key) -> Run | None:
        """Return the run of a block from the cache, if what it depends on is unchanged and it may be shown."""
        run = self.cache.get(key)
        if run is None or not self.is_valid(block, run):
            return None
        return run if self._shows_failures or not has_unexpected_error(block, run) else None

    def is_valid(self, block: Block, run: Run) -> bool:
        """Return whether the modules that a run loaded are unchanged, and its lines where they were."""
        if run.modules != environment.digest_files([path for path, _ in run.modules], self.config):
            return False
        return run.origin == str(block.origin) or not run.mentions(run.origin.rsplit(":", 1)[0])

    def recordings_for(self, block: Block, key: Key, run: Run) -> tuple[Run, ...]:
        """Return the recordings to show with the run of a block: of other devices, where they differ."""
        return self.recordings.find_differing(run, key.code, lambda recording: self.is_valid(block, recording))

    def prepare(self) -> None:
        """Start the script that prepares data, once; it writes to the terminal, where its progress is seen."""
        with self._lock:
            if self.config.prepare and self._prepare_process is None:
                command = [sys.executable, str(self.config.path(self.config.prepare))]
                self._prepare_process = subprocess.Popen(command, cwd=self.config.root)

    def close(self) -> None:
        """End the script that prepares data."""
        if self._prepare_process and self._prepare_process.poll() is None:
            self._prepare_process.kill()
            self._prepare_process.wait()

    def _wait_for_data(self) -> None:
        """Wait until the `prepare` script has ended.

        Raises:
            PageError: it failed, or a folder of the settings is missing.
        """
        for path in self.config.paths:
            if not self.config.path(path).is_dir():
                raise PageError(f"{self.config.source}:1: codeout: 'paths': {path!r} is not a folder")
        self.prepare()
        if self._prepare_process and (code := self._prepare_process.wait()):
            self._prepare_process = None  # tried again at the next look-up
            raise PageError(f"{self.config.prepare}:1: exited with code {code}; see its output above")


def raise_all(problems: Sequence[CodeoutError]) -> None:
    """Raise all errors as one, if there are any.

    Raises:
        CodeoutError: of the kind of the first, with all messages.
    """
    if problems:
        kind = BlockError if isinstance(problems[0], BlockError) else PageError
        raise kind("\n\n".join(dict.fromkeys(str(problem) for problem in problems)))
