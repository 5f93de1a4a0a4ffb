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
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from codeout import environment
from codeout.blocks import Block, Place, block_name, by_page, session_name, sessions
from codeout.config import Config
from codeout.errors import BlockError, CodeoutError, PageError
from codeout.expectations import check, skipped, unexpected, with_absence
from codeout.keys import Key, Recipe
from codeout.outputs import Error, Provenance, Run
from codeout.progress import SAID, Board, Status, log, shown
from codeout.recordings import Recordings
from codeout.resumable import Resumable
from codeout.store import Store, Time
from codeout.turns import Turns
from codeout.work import Interrupted, Work

if TYPE_CHECKING:
    from codeout.child import Worker


@dataclass(frozen=True, slots=True)
class Look:
    """A session as the store knows it."""

    session: Sequence[Block]
    recipes: Sequence[Recipe]
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
class Seen:
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
        self.store = Store(config.path(config.store))
        self.recordings = Recordings(Store(config.path(config.recordings)))
        self.board = Board()
        self._closing = False
        self._fetching: subprocess.Popen[bytes] | None = None
        self._lock = Lock()
        self._turns = Turns(config)
        self._workers: set[Worker] = set()
        self._kept: dict[str, Resumable] = {}  # sessions that can go on from a copy, by name

    def run(self, blocks: Sequence[Block]) -> list[Run]:
        """Return the run of each block of a page, or of many pages, in order.

        Raises:
            CodeoutError: a block did what its page does not expect, or can't be run; all such blocks are named. With
                `errors: show` a block's exception, death or hang is an output instead.
        """
        found = self._runs(self.look(blocks))
        return [found[id(block)] for block in blocks]

    def show(self, blocks: Sequence[Block]) -> list[Seen]:
        """Return each block of a page, or of many pages, as it is to be shown: its run, and recordings beside it.

        Raises:
            CodeoutError: as for `run`.
        """
        looks = self.look(blocks)
        found = self._runs(looks)
        seen = {
            id(block): Seen(run=found[id(block)], beside=self.beside(block, recipe.key, found[id(block)]))
            for look in looks
            for block, recipe in zip(look.session, look.recipes, strict=True)
        }
        return [seen[id(block)] for block in blocks]

    def beside(self, block: Block, key: Key, run: Run) -> tuple[Run, ...]:
        """Return the recordings that belong beside the run of a block."""
        return self.recordings.beside(run, key.code, lambda each: self.whole(block, each))

    def _runs(self, looks: Sequence[Look]) -> dict[int, Run]:
        """Return the runs of sessions, by the identity of their blocks: two fences of a page may be equal."""
        missing = self.first([look for look in looks if look.runs is None])
        ran = self._all([Work(look.session, look.recipes) for look in missing]) if missing else []
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

    def look(self, blocks: Sequence[Block]) -> list[Look]:
        """Return the sessions of these blocks, with what the store has of them.

        Raises:
            PageError: data are not there, or what fetches them failed.
        """
        if not blocks:
            return []
        self._ready()
        self.recordings.look()
        looks, problems = [], []
        for session in (session for page in by_page(blocks) for session in sessions(page)):
            try:
                recipes = environment.session_recipes(session, self.config)
            except PageError as problem:
                problems.append(problem)
                continue
            stored = [self.stored(block, recipe.key) for block, recipe in zip(session, recipes, strict=True)]
            looks.append(Look(session, recipes, stored))
        raise_all(problems)
        return looks

    def first(self, looks: Sequence[Look]) -> list[Look]:
        """Return sessions in the order in which to begin them: the longest decides when the build is done."""
        times = self.store.times()
        known = {name: told.seconds for name, told in times.items()}
        return sorted(looks, key=lambda look: (self._turns.alone(look.session), -known.get(look.name, float("inf"))))

    def checked(self, session: Sequence[Block], runs: Sequence[Run]) -> list[Run]:
        """Return the runs of a session as they are to be shown.

        Raises:
            BlockError: a block raised what its page does not expect, or did not raise what it does.
        """
        if self.config.errors == "show":
            return [with_absence(block, run) for block, run in zip(session, runs, strict=True)]
        for block, run in zip(session, runs, strict=True):
            check(block, run)
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

    def do(self, work: Work) -> list[Run]:
        """Run what is wanted of a session, when it is its turn; what is wanted may change meanwhile.

        Raises:
            BlockError: it can't be run, unless errors are to be shown.
        """
        try:
            with self._turns.take(work.session):
                while True:
                    with contextlib.suppress(Interrupted):
                        return self._run(work)
        finally:
            work.end()

    def close(self) -> None:
        """End all processes: those that run blocks, and those that are kept to go on from."""
        self._closing = True
        if self._fetching and self._fetching.poll() is None:
            self._fetching.kill()
            self._fetching.wait()
        for worker in list(self._workers):
            worker.kill()
        for kept in self._kept.values():
            kept.worker.close()
        self._kept.clear()

    def _all(self, works: Sequence[Work]) -> list[Future[list[Run]]]:
        """Run sessions side by side; whatever interrupts that ends their workers at once."""
        pool = ThreadPoolExecutor(self.config.jobs or os.cpu_count() or 1)
        try:
            with shown(self.board):
                futures = [pool.submit(self.do, work) for work in works]
                wait(futures)
        except BaseException:
            self._closing = True
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in list(self._workers):
                worker.kill()
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
                raise PageError(f"mkdocs.yml:1: codeout: 'paths' names {path!r}, and there is no such folder")
        self.prepare()
        if self._fetching and (code := self._fetching.wait()):
            self._fetching = None  # once more, when somebody asks again
            raise PageError(f"{self.config.prepare}:1: ended with exit code {code}; it says why above")

    def _run(self, work: Work) -> list[Run]:
        """Run what is new of a session: all of it in a new worker, or the end of it in one that goes on from a copy."""
        from codeout.child import Worker  # here, so that a build with nothing to run is quick

        session, recipes = work.begin()
        if not session:
            return []
        if self._closing:
            raise BlockError(f"{session[0]}: not run: the build is ending")
        name = session_name(session)
        start = time.monotonic()
        known = self.store.time(name)
        kept = self._kept.pop(name, None)
        done = kept.go_on(session, recipes, self.config) if kept else 0
        if kept is None or not done:
            kept = Resumable(Worker(self.config))
        about = f", about {known.seconds:.0f} s" if known and not done else ""
        log.info("codeout: %s: running %d blocks%s", name, len(session) - done, about)
        self._workers.add(kept.worker)
        began = Status(name, done + 1, len(session), start, known.seconds if known and not done else None)
        try:
            work.by(kept.worker)
            if self.config.prelude and not done:
                self._prelude(kept.worker, session[0], began)
            failed = self._blocks(kept, work, began)
        except (BlockError, Interrupted) as problem:
            if work.stale:
                self._keep(name, kept)
                raise Interrupted from problem
            kept.worker.close()
            if done and not self._closing:  # the copy was no good: once more, from the first block
                return self._run(work)
            if self.config.errors == "raise":
                raise
            return self._dead(work, kept.runs, str(problem), time.monotonic() - start)
        except BaseException:
            kept.worker.close()
            raise
        finally:
            self._workers.discard(kept.worker)
            self.board.remove(name)
        seconds = time.monotonic() - start
        self._keep(name, kept)
        if not failed and not done:
            self._keep_time(name, Time(round(seconds, 1), kept.forks))
        log.info("codeout: %s: done in %.1f s", name, seconds)
        return [*kept.runs, *failed]

    def _blocks(self, kept: Resumable, work: Work, began: Status) -> list[Run]:
        """Run the blocks that are left, and keep what they produced; return what to show from one that failed on."""
        while taken := work.take(len(kept.runs)):
            block, recipe = taken
            session = work.session
            number = len(kept.runs) + 1
            status = replace(began, block=number, blocks=len(session))
            answer = kept.worker.run(block, _Tick(self.board, status))
            modules = environment.digests(answer.modules, self.config)
            provenance = self._provenance(session, recipe, answer.seconds)
            run = Run(answer.outputs, provenance, str(block.origin), modules, answer.values, block.varies)
            if unexpected(block, run):
                rest = [run, *[skipped(run, block)] * (len(session) - number)]
                for place, each in enumerate(rest, start=number - 1):
                    work.told(place, each)
                return rest
            kept.add(block, recipe, run)
            if answer.safe and kept.forks == number - 1:
                kept.forks = number
            if environment.session_recipes([*session[:number]], self.config)[-1] == recipe:
                self._keep_run(run, recipe, block_name(session, number))  # else: a file was edited meanwhile
            work.told(number - 1, run)
            if self.config.snapshots and kept.worker.snapshot(number):
                kept.copies.add(number)
        return []

    def _dead(self, work: Work, runs: Sequence[Run], message: str, seconds: float) -> list[Run]:
        """Return what stands for the runs of a session whose process has died, or hung."""
        error = Error("BlockError", message, message, None)
        died = Run((error,), self._provenance(work.session, work.recipes[0], seconds))
        rest = [died] * (len(work.session) - len(runs))
        for number, run in enumerate(rest, start=len(runs)):
            work.told(number, run)
        return [*runs, *rest]

    def _provenance(self, session: Sequence[Block], recipe: Recipe, seconds: float) -> Provenance:
        told = recipe.environment
        packages = tuple((package, version) for package, version in told.packages if package in self.config.packages)
        date = datetime.now(UTC).isoformat(timespec="seconds")
        sources = environment.sources(session, self.config)
        return Provenance(told.device, told.python, packages, seconds, date, sources, recipe.key.code[:12])

    def _prelude(self, worker: Worker, first: Block, began: Status) -> None:
        path = self.config.prelude
        code = self.config.path(path).read_text(encoding="utf8")
        prelude = Block(place=first.place, session=first.session, code=code, origin=Place(path, 1))
        for output in worker.run(prelude, _Tick(self.board, began)).outputs:
            if isinstance(output, Error):
                raise BlockError(f"{path}:{output.line or 1}: {output.type}: {output.message}\n{output.traceback}")

    def _keep(self, name: str, kept: Resumable) -> None:
        """Keep the process of a session to go on from, if there are copies of it."""
        if self.config.snapshots and kept.copies and not self._closing:
            self._kept[name] = kept
        else:
            kept.worker.close()

    def _keep_run(self, run: Run, recipe: Recipe, name: str) -> None:
        try:
            self.store.put(recipe.key, run, recipe, name)
        except (OSError, ValueError) as problem:
            log.warning("codeout: %s: can't keep a run (%s); it will run again", self.store.root, problem)

    def _keep_time(self, name: str, time: Time) -> None:
        with self._lock, contextlib.suppress(OSError):  # that the store can't be written has been said
            self.store.keep_time(name, time)


class _Tick:
    """Tells the board what a block prints."""

    def __init__(self, board: Board, status: Status) -> None:
        self._board, self._status = board, status
        board.put(status)

    def __call__(self, text: str) -> None:
        if text:
            self._status = replace(self._status, text=(self._status.text + text)[-SAID:])
            self._board.put(self._status)


def raise_all(problems: Sequence[CodeoutError]) -> None:
    """Raise what is wrong, if anything is: one error with all messages.

    Raises:
        CodeoutError: the kind is that of the first.
    """
    if problems:
        kind = BlockError if isinstance(problems[0], BlockError) else PageError
        raise kind("\n\n".join(dict.fromkeys(str(problem) for problem in problems)))
