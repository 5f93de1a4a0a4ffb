"""The engine: blocks in, runs out. What the store has is taken from there; the rest is run, a worker a session.

A session whose block *k* is not in the store runs from its first block to its last, or goes on from a copy of the
process that ran the blocks above: a block never runs in a namespace that the blocks above it did not make, and all
outputs of a session that ran come from the same run.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock

from codeout.cache import environment
from codeout.cache.keys import Key, KeyInputs
from codeout.cache.recordings import Recordings, recordings_in
from codeout.cache.store import RunStore
from codeout.config import Config
from codeout.errors import BlockError, CodeoutError, PageError
from codeout.model.blocks import Block, by_page, session_name, sessions
from codeout.model.expectations import check_expectation, with_missing_error
from codeout.model.outputs import Run
from codeout.run.job import Interrupted, Job
from codeout.run.progress import show_progress
from codeout.run.runner import SessionRunner
from codeout.run.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class CachedSession:
    """A session as the store knows it."""

    session: Sequence[Block]
    recipes: Sequence[KeyInputs]
    stored: Sequence[Run | None]

    @property
    def name(self) -> str:
        """What the session is called."""
        return session_name(self.session)

    @property
    def runs(self) -> Sequence[Run] | None:
        """The runs of all blocks; None if one is not in the store."""
        found = [run for run in self.stored if run is not None]
        return found if len(found) == len(self.session) else None


@dataclass(frozen=True, slots=True)
class BlockState:
    """A block as a page shows it."""

    name: str = ""  # of the block, from one edit to the next
    key: str = ""  # of its run
    run: Run | None = None  # None while it has not run
    last: Run | None = None  # the last good one; None if it is `run`, or if there is none
    beside: tuple[Run, ...] = ()  # recordings of the same code on other devices, to show with it


class Engine:
    """Runs the blocks of a site."""

    def __init__(self, config: Config) -> None:
        """Start nothing yet."""
        self.config = config
        self.store = RunStore(config.path(config.cache))
        self.recordings = Recordings(recordings_in(config.path(config.recordings)))
        self.running = SessionRunner(config, self.store)
        self._fetching: subprocess.Popen[bytes] | None = None
        self._lock = Lock()
        self._scheduler = Scheduler(config)

    def run(self, blocks: Sequence[Block]) -> list[Run]:
        """Return the run of each block of a page, or of many pages, in order.

        Raises:
            CodeoutError: a block did what its page does not expect, or can't be run; all such blocks are named. With
                `errors: show` a block's exception, death or hang is an output instead.
        """
        found = self._runs(self.look(blocks))
        return [found[id(block)] for block in blocks]

    def show(self, blocks: Sequence[Block]) -> list[BlockState]:
        """Return each block of a page, or of many pages, as it is to be shown: its run, and recordings beside it.

        Raises:
            CodeoutError: as for `run`.
        """
        looks = self.look(blocks)
        found = self._runs(looks)
        seen = {
            id(block): BlockState(run=found[id(block)], beside=self.beside(block, recipe.key, found[id(block)]))
            for look in looks
            for block, recipe in zip(look.session, look.recipes, strict=True)
        }
        return [seen[id(block)] for block in blocks]

    def beside(self, block: Block, key: Key, run: Run) -> tuple[Run, ...]:
        """Return the recordings that belong beside the run of a block."""
        return self.recordings.find_differing(run, key.code, lambda each: self.whole(block, each))

    def _runs(self, looks: Sequence[CachedSession]) -> dict[int, Run]:
        """Return the runs of sessions, by the identity of their blocks: two fences of a page may be equal."""
        missing = self.first([look for look in looks if look.runs is None])
        ran = self._all([Job(look.session, look.recipes) for look in missing]) if missing else []
        new = {look.name: future for look, future in zip(missing, ran, strict=True)}
        problems: list[CodeoutError] = []
        found: dict[int, Run] = {}
        for look in looks:
            try:
                runs = look.runs or new[look.name].result()
                found |= {
                    id(block): run for block, run in zip(look.session, self.checked(look.session, runs), strict=True)
                }
            except CodeoutError as problem:
                problems.append(problem)
        raise_all(problems)
        return found

    def look(self, blocks: Sequence[Block]) -> list[CachedSession]:
        """Return the sessions of these blocks, with what the store has of them.

        Raises:
            PageError: data are not there, or what fetches them failed.
        """
        if not blocks:
            return []
        self._ready()
        self.recordings.refresh()
        looks, problems = [], []
        for session in (session for page in by_page(blocks) for session in sessions(page)):
            try:
                recipes = environment.session_inputs(session, self.config)
            except PageError as problem:
                problems.append(problem)
                continue
            stored = [self.stored(block, recipe.key) for block, recipe in zip(session, recipes, strict=True)]
            looks.append(CachedSession(session, recipes, stored))
        raise_all(problems)
        return looks

    def first(self, looks: Sequence[CachedSession]) -> list[CachedSession]:
        """Return sessions in the order in which to begin them: the longest decides when the build is done."""
        times = self.store.timings.load_all()
        known = {name: told.seconds for name, told in times.items()}
        return sorted(
            looks, key=lambda look: (self._scheduler.is_exclusive(look.session), -known.get(look.name, float("inf")))
        )

    def checked(self, session: Sequence[Block], runs: Sequence[Run]) -> list[Run]:
        """Return the runs of a session as they are to be shown.

        Raises:
            BlockError: a block raised what its page does not expect, or did not raise what it does.
        """
        if self.config.errors == "show":
            return [with_missing_error(block, run) for block, run in zip(session, runs, strict=True)]
        for block, run in zip(session, runs, strict=True):
            check_expectation(block, run)
        return list(runs)

    def stored(self, block: Block, key: Key) -> Run | None:
        """Return the run of a block from the store, unless something that it depends on is not what it was."""
        run = self.store.get(key)
        return run if run and self.whole(block, run) else None

    def whole(self, block: Block, run: Run) -> bool:
        """Return whether the modules that a run has loaded are still what they were, and its lines where they were."""
        if run.modules != environment.digests([path for path, _ in run.modules], self.config):
            return False
        return run.origin == str(block.origin) or not run.mentions(run.origin.rsplit(":", 1)[0])

    def do(self, work: Job) -> list[Run]:
        """Run what is wanted of a session, when it is its turn; what is wanted may change meanwhile.

        Raises:
            BlockError: it can't be run, unless errors are to be shown.
        """
        try:
            with self._scheduler.reserve(work.session):
                while True:
                    with contextlib.suppress(Interrupted):
                        return self.running.run(work)
        finally:
            work.end()

    def close(self) -> None:
        """End all processes: those that run blocks, and those that are kept to go on from."""
        if self._fetching and self._fetching.poll() is None:
            self._fetching.kill()
            self._fetching.wait()
        self.running.close()

    def _all(self, works: Sequence[Job]) -> list[Future[list[Run]]]:
        """Run sessions side by side; whatever interrupts that ends their workers at once."""
        pool = ThreadPoolExecutor(self.config.jobs or os.cpu_count() or 1)
        try:
            with show_progress(self.running.board):
                futures = [pool.submit(self.do, work) for work in works]
                wait(futures)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            self.running.end()
            pool.shutdown()  # each session closes its worker, and removes its scratch folder
            raise
        pool.shutdown()
        return futures

    def prepare(self) -> None:
        """Start the script that fetches data, once: on the terminal, where its progress is seen."""
        with self._lock:
            if self.config.prepare and self._fetching is None:
                command = [sys.executable, str(self.config.path(self.config.prepare))]
                self._fetching = subprocess.Popen(command, cwd=self.config.root)

    def _ready(self) -> None:
        """Wait until data are there.

        Raises:
            PageError: what fetches them did not end well, or a folder of the settings is not there.
        """
        for path in self.config.paths:
            if not self.config.path(path).is_dir():
                raise PageError(f"{self.config.source}:1: codeout: 'paths': no such folder: {path!r}")
        self.prepare()
        if self._fetching and (code := self._fetching.wait()):
            self._fetching = None  # once more, when somebody asks again
            raise PageError(f"{self.config.prepare}:1: ended with exit code {code}; it says why above")


def raise_all(problems: Sequence[CodeoutError]) -> None:
    """Raise what is wrong, if anything is: one error with all messages.

    Raises:
        CodeoutError: the kind is that of the first.
    """
    if problems:
        kind = BlockError if isinstance(problems[0], BlockError) else PageError
        raise kind("\n\n".join(dict.fromkeys(str(problem) for problem in problems)))
