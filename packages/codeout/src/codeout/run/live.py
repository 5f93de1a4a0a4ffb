"""What runs while an author writes: sessions in the background of a live server, and `codeout watch`.

Pages load at once, and outputs follow as blocks finish.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from codeout.cache.keys import Key, KeyInputs
from codeout.cache.lookup import CachedSession, Lookup
from codeout.config import Config
from codeout.errors import BlockError, CodeoutError, log
from codeout.model.blocks import Block, Session
from codeout.model.expectations import SKIPPED, check_expectation, has_unexpected_error, with_missing_error
from codeout.model.outputs import Error, Provenance, Run, as_text
from codeout.run.engine import UP_TO_DATE, BlockState, Engine, Listener
from codeout.run.progress import SessionProgress
from codeout.run.session import RunningSession
from codeout.run.steps import Step


class LiveSessions(Listener):
    """What runs in the background, and the state of each block now.

    Any thread may use it, and sessions call it from theirs. `_lock` guards the last successful runs alone.
    """

    def __init__(
        self,
        config: Config,
        on_news: Callable[[], None] = lambda: None,
        on_runs: Callable[[Sequence[Run]], None] = lambda runs: None,
    ) -> None:
        """Take the settings, what is called after any change, and what is called with the runs that are shown."""
        self.engine = Engine(config, listener=self)
        self._on_news, self._on_runs = on_news, on_runs
        self._last_good_runs: _LastGoodRuns | None = None
        self._lock = Lock()

    def states(self, sessions: Sequence[Session]) -> dict[str, BlockState]:
        """Return the state of each block, by its name; start what is stale.

        Raises:
            PageError: data files are missing, or the script that prepares them failed.
        """
        loaded = self.engine.load(sessions)
        self._on_runs([run for each in loaded for run in each.runs])
        for each in loaded:
            running = self.engine.session(each.name)
            if running and not each.is_stale and not self._is_wanted(running, each):
                running.cancel()  # an edit was undone: what it started is not wanted any more
        self.engine.request([each for each in loaded if each.is_stale])
        return {state.name: state for each in loaded for state in self._states(each)}

    def keep(self, sessions: Sequence[Session]) -> None:
        """End what runs for sessions that the site does not have any more."""
        names = {session.name for session in sessions}
        for session in self.engine.sessions:
            if session.name not in names:
                self.engine.drop(session.name)

    def current(self) -> list[tuple[str, int, BlockState]]:
        """Return the session, the number in it from 1, and the state of each block that runs, or has run, here."""
        return [
            (running.name, number + 1, self._state(target.session, number, inputs, _run_of(running, number)))
            for running in self.engine.sessions
            if (target := running.target)
            for number, inputs in enumerate(target.inputs)
        ]

    def progress(self) -> tuple[SessionProgress, ...]:
        """Return the progress of each session that runs now."""
        return self.engine.progress()

    @property
    def is_running(self) -> bool:
        """Whether something is left to run."""
        return not all(session.is_over for session in self.engine.sessions)

    def run(self, name: str) -> Run | None:
        """Return the run of a block by its name, if it has run since the server started and is unchanged."""
        session, _, number = name.rpartition(" ")
        running = self.engine.session(session)
        return _run_of(running, int(number) - 1) if running else None

    def close(self) -> None:
        """End all processes."""
        self.engine.close()

    # ---------------------------------------------------------------------------------------- what sessions report

    def on_run(self, session: RunningSession, number: int, step: Step) -> None:
        """Log a failure, keep a success, and pass on the news."""
        target = session.target
        if target and step.run and number < len(target):
            self._log_failure(step.block, step.run)
            if not has_unexpected_error(step.block, step.run):
                with self._lock:
                    self._last_good.add(target.session.block_names[number], step.inputs, step.run)
            self._on_runs([step.run])
        self._on_news()

    def on_change(self) -> None:
        """Pass on that there is progress."""
        self._on_news()

    def on_idle(self) -> None:
        """Say that all outputs are up to date, once nothing runs and unless a block has failed."""
        if all(session.is_over and not _has_failed(session) for session in self.engine.sessions):
            log.info("%s", UP_TO_DATE)

    @staticmethod
    def _log_failure(block: Block, run: Run) -> None:
        """Log what a block did that its page does not expect: the author may not be looking at that page."""
        try:
            check_expectation(block, run)
        except BlockError as problem:
            if run.error is None or run.error.type != SKIPPED:
                log.error("%s", problem)

    # -------------------------------------------------------------------------------------------------------- states

    def _is_wanted(self, running: RunningSession, each: CachedSession) -> bool:
        target = running.target
        return (
            target is not None
            and len(target) == len(each.keyed)
            and running.covers(each.keyed, self.engine.lookup.inputs.now())
        )

    def _states(self, each: CachedSession) -> Iterator[BlockState]:
        running = self.engine.session(each.name) if each.is_stale else None
        for number, inputs in enumerate(each.keyed.inputs):
            run = (_run_of(running, number) if running else None) or each.cached[number]
            yield self._state(each.session, number, inputs, run)

    def _state(self, session: Session, number: int, inputs: KeyInputs, run: Run | None) -> BlockState:
        block, name = session.blocks[number], session.block_names[number]
        is_good = run is not None and not has_unexpected_error(block, run)
        with self._lock:
            if run and is_good and self._last_good_runs:
                self._last_good_runs.add(name, inputs, run)
            last_good = None if is_good else self._last_good.find(block, name, inputs)
        recordings = self.engine.recordings_of(block, inputs.key, run) if run and is_good else ()
        return BlockState(name, str(inputs.key), run and with_missing_error(block, run), last_good, recordings)

    @property
    def _last_good(self) -> _LastGoodRuns:
        if self._last_good_runs is None:
            self._last_good_runs = _LastGoodRuns(self.engine.lookup)
        return self._last_good_runs


def _has_failed(running: RunningSession) -> bool:
    return running.problem is not None or any(
        has_unexpected_error(step.block, step.run) for step in running.steps if step.run
    )


def _run_of(running: RunningSession, number: int) -> Run | None:
    """Return the run of a block, or an error if the session failed."""
    steps = running.steps
    if number < len(steps):
        return steps[number].run
    return _defect(running.problem) if running.problem and not isinstance(running.problem, BlockError) else None


def _defect(problem: BaseException) -> Run:
    """Return a run that shows a defect of the engine, for which nobody waits."""
    text = "".join(traceback.format_exception(problem))
    error = Error(type=type(problem).__name__, message=str(problem), traceback=text, line=None)
    date = datetime.now(UTC).isoformat(timespec="seconds")
    provenance = Provenance(device="", python="", packages=(), seconds=0.0, date=date, sources=())
    return Run(outputs=(error,), provenance=provenance)


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


POLL_INTERVAL = 0.2
"""Seconds between two checks of the files."""

ModificationTimes = dict[Path, int]
"""The modification time of each file, in nanoseconds."""


def watch(load_blocks: Callable[[], Sequence[Block]], engine: Engine, print_message: Callable[[str], None]) -> None:
    """Run blocks whenever a file changes, until interrupted.

    Args:
        load_blocks: returns the current blocks.
        engine: runs them; its settings should enable checkpoints and show errors instead of raising them.
        print_message: prints a message.
    """
    printed_runs: dict[str, Run] = {}
    previous: ModificationTimes = {}
    read: set[str] = set()
    while True:
        current = _modification_times(engine.config, read)
        if current != previous:
            previous = current
            try:
                blocks = load_blocks()
                runs = engine.run(blocks)
                new = engine.lookup.inputs.paths(runs) - read
                previous |= _times_of(map(Path, new))
                read |= new
                for block, run in zip(blocks, runs, strict=True):
                    if printed_runs.get(str(block.place)) != run:
                        printed_runs[str(block.place)] = run
                        print_message(f"\n{block}: {run.total_seconds:.2f} s\n{as_text(run)}".rstrip())
                print_message(f"\n{len(blocks)} blocks are up to date; waiting for changes (press Ctrl-C to stop)")
            except CodeoutError as problem:
                print_message(str(problem))
        time.sleep(POLL_INTERVAL)


def _modification_times(config: Config, read: Iterable[str]) -> ModificationTimes:
    """Return the modification times of the files that blocks depend on."""
    data = [file for files in config.data.values() for file in files]
    tops = [config.path(name) for name in {config.docs_dir, *config.paths, *data, config.prelude} - {""}]
    below = (path for top in tops for path in (top.rglob("*") if top.is_dir() else [top]))
    return _times_of(below, only_files=True) | _times_of(map(Path, read))


def _times_of(paths: Iterable[Path], *, only_files: bool = False) -> ModificationTimes:
    """Return the modification times of what exists; of folders, too, unless only files are asked for."""
    times = {}
    for path in paths:
        try:
            if "__pycache__" not in path.parts and (path.is_file() or not only_files):
                times[path] = path.stat().st_mtime_ns
        except OSError:
            continue  # it does not exist, or an editor replaces it while it is checked
    return times
