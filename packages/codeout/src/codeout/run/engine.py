"""The engine: blocks in, their states out. Hits come from the cache; each stale session has an owner that runs it.

The engine only admits: it looks sessions up, hands targets to their owners (`run/session.py`), and waits for runs. Any
thread may use it. `_lock` guards the dictionary of sessions and the count of those that work; whoever holds it may take
the lock of a session, never the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from codeout.cache.keys import Key, trace_keys
from codeout.cache.lookup import CachedSession, Lookup
from codeout.config import Config
from codeout.errors import BlockError, CodeoutError, log, raise_all
from codeout.model.blocks import Block, Session, block_names, group_sessions
from codeout.model.expectations import check_expectation, with_missing_error
from codeout.model.outputs import Run
from codeout.run.prepare import Preparation

if TYPE_CHECKING:  # a build in which nothing runs does not import them
    from codeout.recordings.read import Recordings
    from codeout.run.progress import SessionProgress
    from codeout.run.session import RunningSession, SessionContext
    from codeout.run.steps import Step

MAX_THREADS = 100_000
"""A session that works has a thread, which mostly waits; what runs at the same time is for `Cores` to decide."""
UP_TO_DATE = "codeout: all outputs are up to date"


class BlockState(msgspec.Struct, frozen=True):
    """A block as a page shows it."""

    name: str = ""
    """The name of the block, stable from one edit to the next."""
    key: str = ""
    """The key of its run."""
    run: Run | None = None
    """Its run; None while it has not run."""
    last_good: Run | None = None
    """The last successful run; None if that is `run`, or if there is none."""
    recordings: tuple[Run, ...] = ()
    """Runs of the same code on other devices, to show with it."""


class Listener:
    """Is told by the threads of sessions what they do; does nothing with it."""

    def on_run(self, session: RunningSession, number: int, step: Step) -> None:
        """Take in the run of a block, with its position in its session, from 0."""

    def on_change(self) -> None:
        """Notice that something is different: progress, or a run."""

    def on_idle(self) -> None:
        """Notice that nothing runs any more."""


class Engine:
    """Runs the blocks of a site."""

    def __init__(
        self,
        config: Config,
        *,
        retry_failed: bool = False,
        listener: Listener | None = None,
        keeps_base: bool = False,
    ) -> None:
        """Start nothing yet.

        Args:
            config: the settings; with `checkpoints`, processes stay for the next edit.
            retry_failed: whether stored failures run again.
            listener: is told what happens.
            keeps_base: whether the base stays when nothing runs, since more is to follow before `close`.
        """
        self.config = config
        self.lookup = Lookup(config, retry_failed=retry_failed)
        self.preparation = Preparation(config)
        self._listener = listener or Listener()
        self._keeps_base = keeps_base or config.checkpoints
        self._pool = ThreadPoolExecutor(MAX_THREADS)
        self._sessions: dict[str, RunningSession] = {}
        self._logged: set[str] = set()
        self._has_recordings = False
        self._working = 0
        self._progress = ExitStack()
        self._lock = Lock()

    def run(self, blocks: Sequence[Block]) -> list[Run]:
        """Return the run of each block of a page, or of many pages, in order.

        Raises:
            CodeoutError: a block did what its page does not expect, or cannot be run; all such blocks are named. With
                `errors: show` a block's exception, death or hang is an output instead.
        """
        sessions = group_sessions(blocks)
        keeps_base, self._keeps_base = self._keeps_base, True
        try:
            states = self.states(sessions)
        finally:
            for session in sessions:
                if running := self._sessions.get(session.name):
                    running.join()
            self._keeps_base = keeps_base
            if self._sessions and not keeps_base:
                self._context.base.close()
        fill_in = self.lookup.cache.pictures.fill_in
        return [fill_in(run) for name in block_names(blocks) if (run := states[name].run)]

    def states(
        self, sessions: Sequence[Session], *, may_grow: bool = False, on_stale: Callable[[], None] = lambda: None
    ) -> dict[str, BlockState]:
        """Run what is stale, and return each block as it is to be shown, by its name.

        Args:
            sessions: of one page, or of many.
            may_grow: whether more blocks of the same sessions may follow; `expect_no_more` ends that.
            on_stale: called before waiting for sessions that run.

        Raises:
            CodeoutError: as for `run`.
        """
        loaded = self.load(sessions)
        working = {session.name for session in self.sessions if not session.is_over}
        running = self.request([each for each in loaded if each.is_stale or each.name in working], may_grow=may_grow)
        if running:
            on_stale()
        problems: list[CodeoutError] = []
        states: dict[str, BlockState] = {}
        for each in loaded:
            try:
                runs = self._wait(running[each.name], len(each.keyed)) if each.name in running else each.runs
                self._raise_or_warn(each.session, runs)
                states |= self._states(each, runs)
            except CodeoutError as problem:
                problems.append(problem)
        raise_all(problems)
        return states

    def load(self, sessions: Sequence[Session]) -> list[CachedSession]:
        """Return sessions with what the cache has of them, once the data that they need is there.

        Raises:
            PageError: data files are missing, or the script that prepares them failed.
        """
        if sessions:
            self.preparation.wait()
        loaded = self.lookup.load(sessions)
        # Once for all blocks: the folder is looked for here, and most sites have none.
        self._has_recordings = self.config.path(self.config.recordings).is_dir()
        if self._has_recordings:
            self.recordings.refresh()
        return loaded

    def start_ahead(self, sessions: Sequence[Session]) -> None:
        """Start sessions that will probably be needed; mistakes in them are reported when they are."""
        try:
            stale = [each for each in self.load(sessions) if each.is_stale]
        except CodeoutError:
            return
        self.request([each for each in stale if each.name not in self._sessions])

    def request(self, sessions: Sequence[CachedSession], *, may_grow: bool = False) -> dict[str, RunningSession]:
        """Have sessions run without waiting for them; return them by name.

        A session that runs already goes on with what is unchanged.
        """
        if not sessions:
            return {}
        from codeout.run.session import RunningSession
        from codeout.run.steps import Target

        self._context.base.expect(sum(each.name not in self._sessions for each in sessions))
        now, requested = self.lookup.inputs.now(), {}
        for each, rank in self._ranked(sessions):
            with self._lock:
                session = self._sessions.get(each.name) or RunningSession(each.name, self._context)
                self._sessions[each.name] = requested[each.name] = session
            session.set_target(Target(each.keyed, may_grow), now, rank)
        return requested

    def session(self, name: str) -> RunningSession | None:
        """Return a session that runs, or has run in this process."""
        return self._sessions.get(name)

    @property
    def sessions(self) -> list[RunningSession]:
        """All sessions that run, or have run in this process."""
        with self._lock:
            return list(self._sessions.values())

    def progress(self) -> tuple[SessionProgress, ...]:
        """Return the progress of each session that runs now, the one that began first ahead."""
        return self._context.progress.running() if self._sessions else ()

    def prefer(self, page: str) -> None:
        """Run the sessions of a page before others: somebody looks at it."""
        if self._sessions:
            self._context.cores.prefer(page)

    def drop(self, name: str) -> None:
        """End all that belongs to a session that the site does not have any more."""
        with self._lock:
            session = self._sessions.pop(name, None)
        if session:
            session.end()

    def expect_no_more(self) -> None:
        """Expect no more blocks for the sessions for which more could follow."""
        for session in self.sessions:
            session.expect_no_more()

    def close(self) -> None:
        """End all processes."""
        self.preparation.close()
        if self._sessions:
            self._context.cores.close()
            self._context.base.end()
        for session in self.sessions:
            session.end()
        self._pool.shutdown()
        if self._sessions:
            self._context.base.close()

    @cached_property
    def recordings(self) -> Recordings:
        """The runs of other devices."""
        from codeout.recordings.read import Recordings  # here: most sites have none

        return Recordings(self.lookup)

    def recordings_of(self, block: Block, key: Key, run: Run) -> tuple[Run, ...]:
        """Return runs of a block on other devices, to show with its own."""
        return self.recordings.for_block(block, key, run) if self._has_recordings else ()

    @cached_property
    def _context(self) -> SessionContext:
        from codeout.run.base import Base
        from codeout.run.cores import Cores
        from codeout.run.progress import ProgressBoard
        from codeout.run.session import SessionContext

        return SessionContext(
            config=self.config,
            lookup=self.lookup,
            base=Base(self.config, self.lookup),
            cores=Cores(self.config),
            progress=ProgressBoard(self._listener.on_change),
            listener=self._listener,
            submit=self._submit,
        )

    def _ranked(self, sessions: Sequence[CachedSession]) -> list[tuple[CachedSession, tuple[float, ...]]]:
        """Return sessions in the order in which to start them: the longest decides when the build ends."""
        seconds = {name: timing.seconds for name, timing in self.lookup.cache.timings.load_all().items()}
        ranks = {
            each.name: (
                -float(each.session.matches(self.config.exclusive)),
                -seconds.get(each.name, float("inf")),
                -float(len(each.keyed)),  # the best guess about one that has never run
            )
            for each in sessions
        }
        return [(each, ranks[each.name]) for each in sorted(sessions, key=lambda each: ranks[each.name])]

    def _submit(self, session: RunningSession) -> None:
        """Have a thread work for a session. Whoever calls this holds the lock of the session."""

        def pass_on(future: Future[None]) -> None:
            if problem := future.exception():
                session.fail(problem)

        self._pool.submit(self._work, session).add_done_callback(pass_on)

    def _work(self, session: RunningSession) -> None:
        with self._show_progress():
            session.work()

    @contextmanager
    def _show_progress(self) -> Iterator[None]:
        """Show progress from the first session that works to the last."""
        from codeout.run.progress import show_progress

        with self._lock:
            self._working += 1
            if self._working == 1:
                self._progress.enter_context(show_progress(self._context.progress))
        try:
            yield
        finally:
            with self._lock:
                self._working -= 1
                is_idle = not self._working
                if is_idle:
                    self._progress.close()
            if is_idle:
                if not self._keeps_base:
                    self._context.base.close()
                self._listener.on_idle()

    def _wait(self, session: RunningSession, count: int) -> list[Run]:
        try:
            return session.wait(count)
        except CodeoutError:
            raise
        except BaseException:  # interrupted, or a defect: nothing that runs is wanted any more
            self.close()
            raise

    def _raise_or_warn(self, session: Session, runs: Sequence[Run]) -> None:
        """Raise for the first run that its page does not expect; with `errors: show`, warn once instead.

        Raises:
            BlockError: a block raised what its page does not expect, or did not raise what it does.
        """
        for block, run in zip(session.blocks, runs, strict=True):
            try:
                check_expectation(block, run)
            except BlockError as problem:
                if self.config.errors == "raise":
                    raise
                if str(problem) not in self._logged:
                    self._logged.add(str(problem))
                    log.warning("%s", problem)
                return

    def _states(self, each: CachedSession, runs: Sequence[Run]) -> dict[str, BlockState]:
        states = {}
        keys = trace_keys(each.keyed, runs)
        for name, block, key, run in zip(each.session.block_names, each.session.blocks, keys, runs, strict=True):
            shown_run = with_missing_error(block, run) if self.config.errors == "show" else run
            recordings = self.recordings_of(block, key, run)
            states[name] = BlockState(name, str(key), shown_run, None, recordings)
        return states
