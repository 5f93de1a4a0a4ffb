"""Sessions that run in the background of a live server: pages load at once, outputs follow as blocks finish."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from threading import Lock

from codeout.cache.keys import Key, KeyInputs
from codeout.cache.lookup import CachedSession, Lookup
from codeout.errors import BlockError
from codeout.model.blocks import Block, Session
from codeout.model.expectations import SKIPPED, check_expectation, has_unexpected_error, with_missing_error
from codeout.model.outputs import Error, Provenance, Run
from codeout.run.engine import BlockState, Engine
from codeout.run.job import Job
from codeout.run.progress import UP_TO_DATE, log


class LiveSessions:
    """What runs in the background, and the state of each block now. Any thread may use it."""

    def __init__(
        self,
        engine: Engine,
        on_change: Callable[[], None] = lambda: None,
        on_runs: Callable[[Sequence[Run]], None] = lambda runs: None,
    ) -> None:
        """Take the engine, what is called after any change, and what is called with the runs that are shown."""
        self.engine = engine
        self._on_runs = on_runs
        self._on_change = engine.runner.board.on_change = on_change
        engine.on_idle = self.report_idle
        self._last_good_runs: _LastGoodRuns | None = None
        self._lock = Lock()

    def states(self, sessions: Sequence[Session]) -> dict[str, BlockState]:
        """Return the state of each block, by its name; start what is stale.

        Raises:
            PageError: data files are missing, or the script that prepares them failed.
        """
        loaded = self.engine.lookup.load(sessions)
        self.engine.recordings.refresh()
        self._on_runs([run for each in loaded for run in each.runs])
        for each in loaded:
            if not each.is_stale and not self._is_running(each):
                self.engine.drop(each.name)  # an edit was undone: what it started is not wanted any more
        stale = [each for each in loaded if each.is_stale or self._is_running(each)]
        for each in self.engine.in_start_order(stale):
            self.engine.request([each], on_run=self._on_run)
        return {state.name: state for each in loaded for state in self._states(each)}

    def keep(self, sessions: Sequence[Session]) -> None:
        """End what runs for sessions that the site does not have any more."""
        names = {session.name for session in sessions}
        for job in self.engine.jobs:
            if job.target.name not in names:
                self.engine.drop(job.target.name)

    def current(self) -> list[tuple[str, int, BlockState]]:
        """Return the session, the number in it from 1, and the state of each block that runs, or has run, here."""
        return [
            (job.target.name, number + 1, self._state(job.target.session, number, inputs, _run_of(job, number)))
            for job in self.engine.jobs
            for number, inputs in enumerate(job.target.inputs)
        ]

    def report_idle(self) -> None:
        """Say that all outputs are up to date, once nothing runs and unless a block has failed."""
        if self.engine.is_idle and all(job.is_over and not _has_failed(job) for job in self.engine.jobs):
            log.info("%s", UP_TO_DATE)

    def run(self, name: str) -> Run | None:
        """Return the run of a block by its name, if it has run since the server started and is unchanged."""
        session, _, number = name.rpartition(" ")
        job = self.engine.job(session)
        return _run_of(job, int(number) - 1) if job else None

    def close(self) -> None:
        """End all processes."""
        self.engine.close()

    def _is_running(self, each: CachedSession) -> bool:
        job = self.engine.job(each.name)
        return (
            job is not None
            and len(job.target) == len(each.keyed)
            and job.covers(each.keyed, self.engine.lookup.inputs.now())
        )

    def _on_run(self, job: Job, number: int, run: Run) -> None:
        session = job.target.session
        if number < len(session.blocks):
            self._log_failure(session, number, run)
            if not has_unexpected_error(session.blocks[number], run):
                with self._lock:
                    self._last_good.add(session.block_name(number + 1), job.target.inputs[number], run)
        self._on_runs([run])
        self._on_change()

    @staticmethod
    def _log_failure(session: Session, number: int, run: Run) -> None:
        """Log what a block did that its page does not expect: the author may not be looking at that page."""
        try:
            check_expectation(session.blocks[number], run)
        except BlockError as problem:
            if run.error is None or run.error.type != SKIPPED:
                log.error("%s", problem)

    def _states(self, each: CachedSession) -> Iterator[BlockState]:
        job = self.engine.job(each.name) if each.is_stale else None
        for number, inputs in enumerate(each.keyed.inputs):
            run = (_run_of(job, number) if job else None) or each.cached[number]
            yield self._state(each.session, number, inputs, run)

    def _state(self, session: Session, number: int, inputs: KeyInputs, run: Run | None) -> BlockState:
        block, name = session.blocks[number], session.block_name(number + 1)
        is_good = run is not None and not has_unexpected_error(block, run)
        with self._lock:
            last_good = None if is_good else self._last_good.find(block, name, inputs)
        recordings = self.engine.recordings.for_block(block, inputs.key, run) if run and is_good else ()
        return BlockState(name, str(inputs.key), run and with_missing_error(block, run), last_good, recordings)

    @property
    def _last_good(self) -> _LastGoodRuns:
        if self._last_good_runs is None:
            self._last_good_runs = _LastGoodRuns(self.engine.lookup)
        return self._last_good_runs


def _has_failed(job: Job) -> bool:
    blocks = zip(job.target.session.blocks, job.runs, strict=False)
    return job.problem is not None or any(has_unexpected_error(block, run) for block, run in blocks)


def _run_of(job: Job, number: int) -> Run | None:
    """Return the run of a block of a job, or an error if the job failed."""
    if number < len(job.runs):
        return job.runs[number]
    return _defect(job.problem) if job.problem and not isinstance(job.problem, BlockError) else None


def _defect(problem: BaseException) -> Run:
    """Return a run that shows a defect of the runner, for which nobody waits."""
    text = "".join(traceback.format_exception(problem))
    error = Error(type(problem).__name__, str(problem), text, None)
    return Run((error,), Provenance("", "", (), 0.0, datetime.now(UTC).isoformat(timespec="seconds"), ()))


class _LastGoodRuns:
    """The last successful run of each block: of the same code, if there is one, or at the same place."""

    def __init__(self, lookup: Lookup) -> None:
        self._cache = lookup.cache
        self._keys: dict[tuple[str, str], Key] = {}
        self._runs: dict[tuple[str, str], Run] = {}
        for name, entry in lookup.cache.newest_entries().items():
            for index in self._indices(name, entry.inputs):
                self._keys[index] = entry.key

    def add(self, name: str, inputs: KeyInputs, run: Run) -> None:
        self._runs |= dict.fromkeys(self._indices(name, inputs), run)

    def find(self, block: Block, name: str, inputs: KeyInputs) -> Run | None:
        for index in self._indices(name, inputs):
            run = self._runs.get(index) or self._read(index)
            if run and not has_unexpected_error(block, run):
                return run
        return None

    def _read(self, index: tuple[str, str]) -> Run | None:
        key = self._keys.get(index)
        return self._cache.get(key) if key else None

    @staticmethod
    def _indices(name: str, inputs: KeyInputs) -> tuple[tuple[str, str], tuple[str, str]]:
        return (name.rpartition(" ")[0], inputs.codes[-1]), (name, "")
