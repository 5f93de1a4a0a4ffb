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
    """The blocks, with what their keys cover."""
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
    """Finds the runs of sessions. It starts nothing."""

    def __init__(self, config: Config, *, retry_failed: bool = False) -> None:
        """Take the settings, and whether a stored failure counts as a miss."""
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
        """Return a session with what the cache has of it.

        Args:
            session: the session.
            now: what inputs are, if many sessions are looked up.

        Raises:
            PageError: data files are missing.
        """
        keyed = self.add_keys(session)
        cached, keys = _Walk(self, keyed, now or self.inputs.now()).find_runs()
        return CachedSession(keyed, tuple(cached), tuple(keys))

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
        return self.inputs.now().are_unchanged(recording.inputs) and not has_moved(recording, block.origin, set())


class _Walk:
    """Finds the runs of a session from the first block on: what a block depends on includes what those above read."""

    def __init__(self, lookup: Lookup, keyed: KeyedSession, now: CurrentInputs) -> None:
        self._lookup, self._keyed, self._now = lookup, keyed, now
        self._trace = ""
        self._moved_files: set[str] = set()  # files with blocks that are at other lines now than when they ran

    def find_runs(self) -> tuple[list[Run | None], list[Key]]:
        """Return the run of each block, None for a miss, and the keys."""
        cached: list[Run | None] = []
        keys = list(self._keyed.keys)
        for number, (block, key) in enumerate(zip(self._keyed.session.blocks, self._keyed.keys, strict=True)):
            run = self._find(block, key)
            if run is None:
                break  # what is below it depends on what it will read
            cached.append(run)
            keys[number] = msgspec.structs.replace(key, trace=self._trace)
            if has_unexpected_error(block, run):
                cached += [skipped_run(run, block)] * (len(keys) - len(cached))
                break
        return [*cached, *[None] * (len(keys) - len(cached))], keys

    def _find(self, block: Block, key: Key) -> Run | None:
        store = self._lookup.cache
        for path in store.find(key):
            try:
                run = store.look_up(path)
            except (OSError, ValueError):
                continue
            trace = add_trace(self._trace, run.inputs)
            if trace != key_of(path).trace or has_moved(run, block.origin, self._moved_files):
                continue
            if self._lookup.shows(block, run) and self._now.are_unchanged(run.inputs):
                self._trace = trace
                if run.origin != str(block.origin):
                    self._moved_files.add(block.origin.path)
                return run
        return None


def has_moved(run: Run, origin: Place, moved_files: Container[str]) -> bool:
    """Return whether a run may show line numbers that are not those of its block, or of one above it, any more.

    Args:
        run: of the block.
        origin: where the block is now.
        moved_files: files in which blocks above it are at other lines than when they ran.
    """
    path = run.origin.rpartition(":")[0]
    return (run.origin != str(origin) or path in moved_files) and run.mentions_lines(path)
