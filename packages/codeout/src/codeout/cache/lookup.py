"""What the cache has for the sessions of a site."""

from __future__ import annotations

from collections.abc import Container, Iterable

import msgspec

from codeout.cache import environment
from codeout.cache.input_reader import CurrentInputs, InputReader
from codeout.cache.keys import Key, KeyedSession, add_trace
from codeout.cache.store import RunStore, key_of
from codeout.config import Config
from codeout.errors import PageError, raise_all
from codeout.model.blocks import Block, Place, Session
from codeout.model.expectations import has_unexpected_error, skipped_run
from codeout.model.outputs import Run


class CachedSession(msgspec.Struct, frozen=True):
    """A session with the runs that the cache has of it."""

    keyed: KeyedSession
    cached: tuple[Run | None, ...]
    """The run of each block; None for a miss."""
    keys: tuple[Key, ...]
    """The key of each block; it has a trace if there is a run."""

    @property
    def session(self) -> Session:
        """The blocks."""
        return self.keyed.session

    @property
    def name(self) -> str:
        """The name of the session."""
        return self.session.name

    @property
    def is_stale(self) -> bool:
        """Whether the run of a block is missing."""
        return None in self.cached

    @property
    def runs(self) -> list[Run]:
        """The runs that the cache has: of all blocks, unless the session is stale."""
        return [run for run in self.cached if run is not None]


class Lookup:
    """Finds the runs of sessions. It starts nothing."""

    def __init__(self, config: Config, *, retry_failed: bool = False) -> None:
        """Take the settings; `retry_failed` makes a stored failure a miss."""
        self.config = config
        self.cache = RunStore(config.path(config.cache))
        self.inputs = InputReader(config)
        self._shows_failures = config.errors == "show" and not retry_failed

    def load(self, sessions: Iterable[Session]) -> list[CachedSession]:
        """Return sessions with what the cache has of them.

        Raises:
            PageError: data files are missing.
        """
        cached_sessions, problems, now = [], [], self.inputs.now()
        for session in sessions:
            try:
                cached_sessions.append(self.peek(session, now))
            except PageError as problem:
                problems.append(problem)
        self.inputs.save()
        raise_all(problems)
        return cached_sessions

    def peek(self, session: Session, now: CurrentInputs | None = None) -> CachedSession:
        """Return a session with what the cache has of it, given what inputs are if many sessions are looked up.

        Raises:
            PageError: data files are missing.
        """
        keyed, now = self.add_keys(session), now or self.inputs.now()
        cached: list[Run | None] = []
        keys = list(keyed.keys)
        moved_files: set[str] = set()  # files with blocks that are at other lines now than when they ran
        for number, block in enumerate(session.blocks):
            trace = keys[number - 1].trace if number else ""
            found = self._find(block, keys[number], trace, moved_files, now)
            if found is None:
                break  # what is below it depends on what it will read
            keys[number], run = found
            cached.append(run)
            if run.origin != str(block.origin):
                moved_files.add(block.origin.path)
            if has_unexpected_error(block, run):
                cached += [skipped_run(run, block)] * (len(keys) - len(cached))
                break
        misses = [None] * (len(keys) - len(cached))
        return CachedSession(keyed, (*cached, *misses), tuple(keys))

    def _find(
        self, block: Block, key: Key, trace: str, moved_files: Container[str], now: CurrentInputs
    ) -> tuple[Key, Run] | None:
        """Return the run of a block after a trace of those above it, with its own key."""
        for path in self.cache.find(key):
            try:
                run = self.cache.unpack(self.cache.read(path))
            except (OSError, ValueError):
                continue
            traced_key = msgspec.structs.replace(key, trace=add_trace(trace, run.inputs))
            if traced_key != key_of(path) or _has_moved(run, block.origin, moved_files):
                continue
            if self.shows(block, run) and now.are_unchanged(run.inputs):
                return traced_key, run
        return None

    def add_keys(self, session: Session) -> KeyedSession:
        """Return a session with the current key inputs of its blocks.

        Raises:
            PageError: a data file does not exist, or the prelude cannot be read.
        """
        return environment.add_keys(session, self.config, self.inputs)

    def shows(self, block: Block, run: Run) -> bool:
        """Return whether a stored run may be shown: with a failure, only where the site shows failures."""
        return self._shows_failures or not has_unexpected_error(block, run)

    def is_current(self, block: Block, recording: Run) -> bool:
        """Return whether a recording has read what this site has, and its lines are where they were."""
        return self.inputs.now().are_unchanged(recording.inputs) and not _has_moved(recording, block.origin, set())


def _has_moved(run: Run, origin: Place, moved_files: Container[str]) -> bool:
    """Return whether a run may show line numbers that are not those of its block, or of one above it, any more."""
    path = run.origin.rpartition(":")[0]
    return (run.origin != str(origin) or path in moved_files) and run.mentions_lines(path)
