"""Sessions that run behind the pages of a live server: pages are shown at once, and told when a block has run."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

from codeout.cache.keys import Key, KeyInputs
from codeout.errors import BlockError
from codeout.model.blocks import Block, block_name, by_page, session_name, sessions
from codeout.model.expectations import check_expectation, has_unexpected_error, with_missing_error
from codeout.model.outputs import Error, Provenance, Run
from codeout.run.engine import BlockState, CachedSession, Engine
from codeout.run.job import Job, unchanged
from codeout.run.progress import log, show_progress


@dataclass(slots=True)
class _Session:
    """A session that is at work, or has been."""

    work: Job
    blocks: Sequence[Block]
    recipes: Sequence[KeyInputs]
    runs: dict[int, Run] = field(default_factory=dict)  # by the block's place in the session, from 0


class LiveSessions:
    """What runs behind the pages, and what is known of each of their blocks."""

    def __init__(self, engine: Engine) -> None:
        """Start nothing yet."""
        self.engine = engine
        self._pool = ThreadPoolExecutor(engine.config.jobs or os.cpu_count() or 1)
        self._sessions: dict[str, _Session] = {}
        self._good: _LastGoodRuns | None = None
        self._lock = Lock()
        self._running = 0
        self._progress = ExitStack()

    def look(self, blocks: Sequence[Block]) -> list[BlockState]:
        """Return what is known of blocks; begin to run what has not run."""
        looks = self.engine.look(blocks)
        for look in self.engine.first(looks):
            with self._lock:
                if not self._current(look):
                    self._want(look)
        with self._lock:
            seen = {id(b): each for look in looks for b, each in zip(look.session, self._seen(look), strict=True)}
        return [seen[id(block)] for block in blocks]

    def keep(self, blocks: Sequence[Block]) -> None:
        """End what runs for sessions that the site does not have any more."""
        names = {session_name(session) for page in by_page(blocks) for session in sessions(page)}
        with self._lock:
            for name in self._sessions.keys() - names:
                self._sessions.pop(name).work.replace((), ())

    def all(self) -> list[tuple[str, int, BlockState]]:
        """Return what is known now of each block of the sessions that run, or have run since the server is up.

        Returns:
            The name of the session, the number of the block in it, from 1, and the block.
        """
        with self._lock:
            return [
                (name, number + 1, self._one(known.blocks, known.recipes, number, known.runs.get(number)))
                for name, known in self._sessions.items()
                for number in range(len(known.blocks))
            ]

    def run(self, name: str) -> Run | None:
        """Return the run of a block by its name, if it has run since the server is up and is as it was then."""
        session, _, number = name.rpartition(" ")
        with self._lock:
            known = self._sessions.get(session)
            return known.runs.get(int(number) - 1) if known else None

    def close(self) -> None:
        """End all processes."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.engine.close()
        self._pool.shutdown()

    def _current(self, look: CachedSession) -> bool:
        """Return whether a session is in the store, or runs already as it is now, or has failed as it is now."""
        known = self._sessions.get(look.name)
        if known is not None:
            same = unchanged(known.blocks, known.recipes, look.session, look.recipes)
            if same == len(look.session) == len(known.blocks):
                known.blocks = look.session  # prose may have moved them
                return True
        if look.runs is None:
            return False
        if known is not None:  # an edit was undone: what it made run is not wanted any more
            known.work.replace((), ())
            del self._sessions[look.name]
        return True

    def _want(self, look: CachedSession) -> None:
        """Have a session run as it is now: in the work that goes on, if that is not too late, or else in new work."""
        known = self._sessions.get(look.name)
        same = unchanged(known.blocks, known.recipes, look.session, look.recipes) if known else 0
        if known and known.work.replace(look.session, look.recipes):
            known.runs = {number: run for number, run in known.runs.items() if number < same}
            known.blocks, known.recipes = look.session, look.recipes
            return
        session = _Session(Job(look.session, look.recipes), look.session, look.recipes)
        session.work.told = lambda number, run: self._told(session, number, run)
        self._sessions[look.name] = session
        self._pool.submit(self._do, session.work)

    def _do(self, work: Job) -> None:
        try:
            with self._shown():
                self.engine.do(work)
        except BlockError as problem:  # the server is going down
            log.debug("codeout: %s", problem)
        except Exception as problem:  # a mistake of ours: nobody waits for this thread, so it is shown in the page
            log.exception("codeout: %s", session_name(work.session))
            error = Error(type(problem).__name__, str(problem), traceback.format_exc(), None)
            run = Run((error,), Provenance("", "", (), 0.0, datetime.now(UTC).isoformat(timespec="seconds"), ()))
            for number in range(len(work.session)):
                work.told(number, run)

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """Show progress from the first session that runs to the last."""
        with self._lock:
            self._running += 1
            if self._running == 1:
                self._progress.enter_context(show_progress(self.engine.running.board))
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._progress.close()

    def _told(self, session: _Session, number: int, run: Run) -> None:
        blocks = session.blocks
        if number < len(blocks):
            self._tell(blocks[number], run)
        with self._lock:
            if number < len(session.blocks):
                session.runs[number] = run
                if not has_unexpected_error(session.blocks[number], run):
                    self._last().add(block_name(session.blocks, number + 1), session.recipes[number], run)

    @staticmethod
    def _tell(block: Block, run: Run) -> None:
        """Say in the log what a block did that its page does not expect: who writes may not look at that page."""
        try:
            check_expectation(block, run)
        except BlockError as problem:
            if run.error is None or run.error.type != "Skipped":
                log.error("%s", problem)

    def _seen(self, look: CachedSession) -> Iterator[BlockState]:
        known = self._sessions.get(look.name)
        own = known.runs if known and look.runs is None else {}
        for number in range(len(look.session)):
            yield self._one(look.session, look.recipes, number, own.get(number) or look.stored[number])

    def _one(self, session: Sequence[Block], recipes: Sequence[KeyInputs], number: int, run: Run | None) -> BlockState:
        block, recipe, name = session[number], recipes[number], block_name(session, number + 1)
        good = run is not None and not has_unexpected_error(block, run)
        last = None if good else self._last().find(name, recipe)
        beside = self.engine.beside(block, recipe.key, run) if run and good else ()
        return BlockState(name, str(recipe.key), run and with_missing_error(block, run), last, beside)

    def _last(self) -> _LastGoodRuns:
        if self._good is None:
            self._good = _LastGoodRuns(self.engine)
        return self._good


class _LastGoodRuns:
    """The last good run of each block: the one of the same code, if there is one, or of the same place."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._keys: dict[tuple[str, str], Key] = {}
        self._runs: dict[tuple[str, str], Run] = {}
        for name, entry in engine.store.newest_entries().items():
            for index in self._indices(name, entry.inputs):
                self._keys[index] = entry.key

    def add(self, name: str, recipe: KeyInputs, run: Run) -> None:
        self._runs |= dict.fromkeys(self._indices(name, recipe), run)

    def find(self, name: str, recipe: KeyInputs) -> Run | None:
        for index in self._indices(name, recipe):
            if run := self._runs.get(index) or self._stored(index):
                return run
        return None

    def _stored(self, index: tuple[str, str]) -> Run | None:
        key = self._keys.get(index)
        return self._engine.store.get(key) if key else None

    @staticmethod
    def _indices(name: str, recipe: KeyInputs) -> tuple[tuple[str, str], tuple[str, str]]:
        return (name.rpartition(" ")[0], recipe.codes[-1]), (name, "")
