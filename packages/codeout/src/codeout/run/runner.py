"""A session at work: in a new worker from its first block, or in one that goes on from a copy above what is new."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event, Lock
from typing import TYPE_CHECKING

from codeout.cache import environment
from codeout.cache.keys import KeyInputs
from codeout.cache.store import RunStore
from codeout.cache.timings import Timing
from codeout.config import Config
from codeout.errors import BlockError
from codeout.model.blocks import Block, Place, block_name, session_name
from codeout.model.expectations import has_unexpected_error, skipped_run
from codeout.model.outputs import Error, Provenance, Run
from codeout.run.job import Interrupted, Job
from codeout.run.progress import MAX_TEXT, ProgressBoard, SessionProgress, log
from codeout.run.resume import ResumableSession

if TYPE_CHECKING:
    from codeout.run.process import KernelProcess


class SessionRunner:
    """The sessions of a site that run, and the processes that are kept to go on from. Any thread may use it."""

    def __init__(self, config: Config, store: RunStore) -> None:
        """Start nothing yet."""
        self.config = config
        self.store = store
        self.board = ProgressBoard()
        self._closing = Event()
        self.workers: set[KernelProcess] = set()
        self.kept: dict[str, ResumableSession] = {}  # sessions that can go on from a copy, by name
        self._lock = Lock()

    def end(self) -> None:
        """End what runs now, and let nothing begin any more."""
        self._closing.set()
        for worker in list(self.workers):
            worker.kill()

    def close(self) -> None:
        """End all processes: those that run blocks, and those that are kept to go on from."""
        self.end()
        for kept in self.kept.values():
            kept.worker.close()
        self.kept.clear()

    def run(self, work: Job) -> list[Run]:
        """Run what is new of a session: all of it in a new worker, or the end of it in one that goes on from a copy."""
        session, recipes = work.begin()
        if not session:
            return []
        name = session_name(session)
        start = time.monotonic()
        known = self.store.timings.get(name)
        kept, done = self._process(session, recipes)
        about = f", about {known.seconds:.0f} s" if known and not done else ""
        left = len(session) - done
        log.info("codeout: %s: running %d block%s%s", name, left, "" if left == 1 else "s", about)
        began = SessionProgress(name, done + 1, len(session), start, known.seconds if known and not done else None)
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
            if done and not self._closing.is_set():  # the copy was no good: once more, from the first block
                return self.run(work)
            if self.config.errors == "raise":
                raise
            return self._dead(work, kept.runs, str(problem), time.monotonic() - start)
        except BaseException:
            kept.worker.close()
            raise
        finally:
            self.workers.discard(kept.worker)
            self.board.remove(name)
        seconds = time.monotonic() - start
        self._keep(name, kept)
        if not failed and not done:
            self._keep_time(name, Timing(round(seconds, 1), kept.forks))
        log.info("codeout: %s: done in %.1f s", name, seconds)
        return [*kept.runs, *failed]

    def _process(self, session: Sequence[Block], recipes: Sequence[KeyInputs]) -> tuple[ResumableSession, int]:
        """Return the process that is to run a session, and how many of its blocks have run in it.

        Raises:
            BlockError: the build is ending.
        """
        from codeout.run.process import KernelProcess  # here, so that a build with nothing to run is quick

        ending = BlockError(f"{session[0]}: not run: the build is ending")
        if self._closing.is_set():
            raise ending
        kept = self.kept.pop(session_name(session), None)
        done = kept.go_on(session, recipes, self.config) if kept else 0
        if kept is None or not done:
            kept = ResumableSession(KernelProcess(self.config))
        self.workers.add(kept.worker)
        if self._closing.is_set():  # since it was asked above, before there was a worker to end
            self.workers.discard(kept.worker)
            kept.worker.close()
            raise ending
        return kept, done

    def _blocks(self, kept: ResumableSession, work: Job, began: SessionProgress) -> list[Run]:
        """Run the blocks that are left, and keep what they produced; return what to show from one that failed on."""
        while taken := work.take(len(kept.runs)):
            block, recipe = taken
            session = work.session
            number = len(kept.runs) + 1
            status = replace(began, block=number, blocks=len(session))
            answer = kept.worker.run(block, _Tick(self.board, status))
            modules = environment.digests(answer.modules, self.config)
            provenance = self._provenance(session, recipe, answer.seconds)
            run = Run(answer.outputs, provenance, str(block.origin), modules, answer.values, block.measured)
            if has_unexpected_error(block, run):
                rest = [run, *[skipped_run(run, block)] * (len(session) - number)]
                for place, each in enumerate(rest, start=number - 1):
                    work.told(place, each)
                return rest
            kept.add(block, recipe, run)
            if answer.can_checkpoint and kept.forks == number - 1:
                kept.forks = number
            if environment.session_inputs([*session[:number]], self.config)[-1] == recipe:
                self._keep_run(run, recipe, block_name(session, number))  # else: a file was edited meanwhile
            work.told(number - 1, run)
            if self.config.checkpoints and kept.worker.checkpoint(number):
                kept.copies.add(number)
        return []

    def _dead(self, work: Job, runs: Sequence[Run], message: str, seconds: float) -> list[Run]:
        """Return what stands for the runs of a session whose process has died, or hung."""
        error = Error("BlockError", message, message, None)
        died = Run((error,), self._provenance(work.session, work.recipes[0], seconds))
        rest = [died] * (len(work.session) - len(runs))
        for number, run in enumerate(rest, start=len(runs)):
            work.told(number, run)
        return [*runs, *rest]

    def _provenance(self, session: Sequence[Block], recipe: KeyInputs, seconds: float) -> Provenance:
        told = recipe.environment
        packages = tuple((package, version) for package, version in told.packages if package in self.config.packages)
        date = datetime.now(UTC).isoformat(timespec="seconds")
        sources = environment.sources(session, self.config)
        return Provenance(told.device, told.python, packages, seconds, date, sources, recipe.key.code[:12])

    def _prelude(self, worker: KernelProcess, first: Block, began: SessionProgress) -> None:
        path = self.config.prelude
        code = self.config.path(path).read_text(encoding="utf8")
        prelude = Block(place=first.place, session=first.session, code=code, origin=Place(path, 1))
        for output in worker.run(prelude, _Tick(self.board, began)).outputs:
            if isinstance(output, Error):
                raise BlockError(f"{path}:{output.line or 1}: {output.type}: {output.message}\n{output.traceback}")

    def _keep(self, name: str, kept: ResumableSession) -> None:
        """Keep the process of a session to go on from, if there are copies of it."""
        if self.config.checkpoints and kept.copies and not self._closing.is_set():
            self.kept[name] = kept
        else:
            kept.worker.close()

    def _keep_run(self, run: Run, recipe: KeyInputs, name: str) -> None:
        try:
            self.store.put(recipe.key, run, recipe, name)
        except (OSError, ValueError) as problem:
            log.warning("codeout: %s: can't keep a run (%s); it will run again", self.store.root, problem)

    def _keep_time(self, name: str, timing: Timing) -> None:
        with self._lock, contextlib.suppress(OSError):  # that the store can't be written has been said
            self.store.timings.put(name, timing)


class _Tick:
    """Tells the board what a block prints."""

    def __init__(self, board: ProgressBoard, status: SessionProgress) -> None:
        self._board, self._status = board, status
        board.update(status)

    def __call__(self, text: str) -> None:
        if text:
            self._status = replace(self._status, text=(self._status.text + text)[-MAX_TEXT:])
            self._board.update(self._status)
