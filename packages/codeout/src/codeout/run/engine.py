"""The engine: sessions in, runs out. Hits come from the cache; stale sessions run, each in a kernel process of its own.

A session with a stale block runs from its first block, or from a checkpoint: a block never runs in a namespace that
the blocks above it did not make.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from codeout.cache.keys import trace_keys
from codeout.cache.lookup import CachedSession, Lookup, raise_all
from codeout.config import Config
from codeout.errors import BlockError, CodeoutError, PageError
from codeout.model.blocks import Block, Session, group_sessions
from codeout.model.expectations import check_expectation, with_missing_error
from codeout.model.outputs import Run
from codeout.recordings.read import Recordings
from codeout.run.job import Job, OnRun
from codeout.run.progress import log, show_progress
from codeout.run.scheduler import Scheduler

if TYPE_CHECKING:  # a build in which nothing runs does not import it
    from codeout.run.runner import SessionRunner


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


class Engine:
    """Runs the blocks of a site. Any thread may use it."""

    def __init__(self, config: Config, *, retry_failed: bool = False) -> None:
        """Start nothing yet."""
        self.config = config
        self.lookup = Lookup(config, retry_failed=retry_failed)
        self.recordings = Recordings(self.lookup)
        self.on_idle: Callable[[], None] = lambda: None
        """Called when nothing runs any more."""
        self._scheduler = Scheduler(config)
        self._pool = ThreadPoolExecutor(config.jobs or os.cpu_count() or 1)
        self._jobs: dict[str, Job] = {}  # by the name of the session
        self._futures: dict[str, Future[None]] = {}  # likewise
        self._logged: set[str] = set()
        self._active = 0
        self._progress = ExitStack()
        self._lock = Lock()
        self._runner: SessionRunner | None = None
        self._runner_lock = Lock()

    @property
    def runner(self) -> SessionRunner:
        """What runs sessions."""
        with self._runner_lock:
            if self._runner is None:
                from codeout.run.runner import SessionRunner

                self._runner = SessionRunner(self.config, self.lookup)
            return self._runner

    def run(self, blocks: Sequence[Block]) -> list[Run]:
        """Return the run of each block of a page, or of many pages, in order.

        Raises:
            CodeoutError: a block did what its page does not expect, or cannot be run; all such blocks are named. With
                `errors: show` a block's exception, death or hang is an output instead.
        """
        sessions = group_sessions(blocks)
        try:
            states = self.states(sessions)
        finally:
            self._wait_for_processes(sessions)
        runs = {
            (session.page, number): states[name].run
            for session in sessions
            for number, name in zip(session.numbers, session.block_names, strict=True)
        }
        return [run for position in _positions(blocks) if (run := runs[position])]

    def states(
        self, sessions: Sequence[Session], *, keep_open: bool = False, on_stale: Callable[[], None] = lambda: None
    ) -> dict[str, BlockState]:
        """Run what is stale, and return each block as it is to be shown, by its name.

        Args:
            sessions: of one page, or of many.
            keep_open: whether more blocks of the same sessions may follow; `close_open` ends that.
            on_stale: called before waiting for sessions that run.

        Raises:
            CodeoutError: as for `run`.
        """
        loaded = self.lookup.load(sessions)
        self.recordings.refresh()
        unfinished = [each for each in loaded if each.is_stale or self._is_active(each)]
        jobs = self.request(unfinished, keep_open=keep_open)
        if jobs:
            on_stale()
        problems: list[CodeoutError] = []
        states: dict[str, BlockState] = {}
        for each in loaded:
            try:
                runs = self._wait(jobs[each.name], len(each.keyed)) if each.name in jobs else each.runs
                self._raise_or_warn(each.session, runs)
                states |= self._states(each, runs)
            except CodeoutError as problem:
                problems.append(problem)
        raise_all(problems)
        return states

    def cached_states(self, sessions: Sequence[Session]) -> dict[str, BlockState]:
        """Return each block with its run, if the cache has it, by its name; nothing is run, nor is data prepared."""
        states: dict[str, BlockState] = {}
        for session in sessions:
            try:
                loaded = self.lookup.peek(session)
            except PageError:  # data is missing: nothing that depends on it is in the cache
                states |= {name: BlockState(name) for name in session.block_names}
                continue
            for name, key, run in zip(session.block_names, loaded.keys, loaded.cached, strict=True):
                states[name] = BlockState(name, str(key), run)
        return states

    def start_ahead(self, sessions: Sequence[Session]) -> None:
        """Start sessions that will probably be needed; mistakes in them are reported when they are."""
        try:
            stale = [each for each in self.lookup.load(sessions) if each.is_stale]
        except CodeoutError:
            return
        self.request([each for each in stale if not self.job(each.name)])

    def request(
        self, sessions: Sequence[CachedSession], *, keep_open: bool = False, on_run: OnRun | None = None
    ) -> dict[str, Job]:
        """Have sessions run without waiting for them; return their jobs by name.

        A job that runs an earlier version of a session goes on with what is unchanged.
        """
        return {each.name: self._job(each, keep_open, on_run) for each in self.in_start_order(sessions)}

    def in_start_order(self, sessions: Sequence[CachedSession]) -> list[CachedSession]:
        """Return sessions in the order in which to start them: the longest decides when the build ends."""
        seconds = (
            {name: timing.seconds for name, timing in self.lookup.cache.timings.load_all().items()} if sessions else {}
        )
        return sorted(
            sessions,
            key=lambda each: (
                -self._scheduler.is_exclusive(each.session),
                -seconds.get(each.name, float("inf")),
                -len(each.keyed),  # the best guess about one that has never run
            ),
        )

    def job(self, name: str) -> Job | None:
        """Return the job of a session, if it runs or has run in this process."""
        return self._jobs.get(name)

    @property
    def jobs(self) -> list[Job]:
        """The jobs of all sessions that run or have run in this process."""
        with self._lock:
            return list(self._jobs.values())

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs."""
        with self._lock:
            return not self._active

    def drop(self, name: str) -> None:
        """End what runs for a session that is not wanted any more."""
        with self._lock:
            job = self._jobs.pop(name, None)
        if job and (parked := job.cancel()):
            self.runner.discard(parked, name)

    def close_open(self) -> None:
        """Expect no more blocks for the sessions that were kept open."""
        for job in self.jobs:
            if parked := job.close():
                self.runner.finish(parked, job.target.name)

    def close(self) -> None:
        """End all processes."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.lookup.close()
        runner = self.runner if self._runner or self._jobs else None
        if runner:
            runner.end()
        for job in self.jobs:
            if parked := job.cancel():
                parked.process.close()
        self._pool.shutdown()
        if runner:
            runner.close()

    def _wait_for_processes(self, sessions: Sequence[Session]) -> None:
        """Wait until the processes that ran these sessions have ended, or are kept for their checkpoints."""
        for session in sessions:
            if future := self._futures.pop(session.name, None):
                with suppress(CancelledError):
                    future.exception()  # unlike `wait`, it also returns if the future was cancelled

    def _is_active(self, each: CachedSession) -> bool:
        job = self._jobs.get(each.name)
        return job is not None and not job.is_over

    def _job(self, each: CachedSession, keep_open: bool, on_run: OnRun | None) -> Job:
        with self._lock:
            job = self._jobs.get(each.name)
            now = self.lookup.inputs.now()
            if job and job.covers(each.keyed, now) and (keep_open or len(job.target) == len(each.keyed)):
                return job
            if job and job.replace(each.keyed, now, is_open=keep_open):
                if job.is_parked:
                    self._submit(job)
                return job
            job = self._jobs[each.name] = Job(each.keyed, is_open=keep_open)
            if on_run:
                job.on_run = on_run
            self._submit(job)
            return job

    def _submit(self, job: Job) -> None:
        future = self._futures[job.target.name] = self._pool.submit(self._run_job, job)
        future.add_done_callback(lambda future: _pass_on_failure(future, job))

    def _run_job(self, job: Job) -> None:
        with self._show_progress(), self._scheduler.reserve(job.target.session):
            self.runner.run(job)

    def _wait(self, job: Job, count: int) -> list[Run]:
        try:
            return job.wait(count)
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
            recordings = self.recordings.for_block(block, key, run)
            states[name] = BlockState(name, str(key), shown_run, None, recordings)
        return states

    @contextmanager
    def _show_progress(self) -> Iterator[None]:
        """Show progress from the first session that runs to the last."""
        with self._lock:
            self._active += 1
            if self._active == 1:
                self._progress.enter_context(show_progress(self.runner.board))
        try:
            yield
        finally:
            with self._lock:
                self._active -= 1
                is_idle = not self._active
                if is_idle:
                    self._progress.close()
            if is_idle:
                self.on_idle()


def _positions(blocks: Sequence[Block]) -> Iterator[tuple[str, int]]:
    """Yield the page of each block, and its position on it, from 0."""
    on_page: dict[str, int] = {}
    for block in blocks:
        number = on_page[block.page] = on_page.get(block.page, -1) + 1
        yield block.page, number


def _pass_on_failure(future: Future[None], job: Job) -> None:
    """Tell those who wait for a job why it failed."""
    if future.cancelled():
        job.end()
    elif problem := future.exception():
        job.fail(problem)
