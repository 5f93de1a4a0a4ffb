"""Run a session: in a new kernel process from its first block, or from a checkpoint above what has changed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from functools import partial
from threading import Event, Lock
from typing import TYPE_CHECKING

import msgspec

from codeout.cache.keys import Key, KeyedSession, KeyInputs, add_trace
from codeout.cache.lookup import Lookup
from codeout.cache.timings import Timing
from codeout.config import Config
from codeout.errors import BlockError
from codeout.model.blocks import Block, Place
from codeout.model.expectations import has_unexpected_error, skipped_run, with_hint
from codeout.model.inputs import Input, Observation
from codeout.model.outputs import Error, Run
from codeout.run.hints import find_hint
from codeout.run.job import Interrupted, Job
from codeout.run.progress import ProgressBoard, SessionProgress, Ticker, log
from codeout.run.protocol import BlockResult
from codeout.run.resume import ResumableSession
from codeout.run.run_composer import compose_death, compose_run
from codeout.run.sweep import run_sweep

if TYPE_CHECKING:
    from codeout.run.process import KernelProcess


class SessionRunner:
    """Runs the sessions of a site, and keeps processes with checkpoints. Any thread may use it."""

    def __init__(self, config: Config, lookup: Lookup) -> None:
        """Start nothing yet."""
        self.config = config
        self.lookup = lookup
        self.cache = lookup.cache
        self.board = ProgressBoard()
        self.processes: set[KernelProcess] = set()
        self._closing = Event()
        self._resumable: dict[str, ResumableSession] = {}  # by the name of the session
        self._lock = Lock()

    def end(self) -> None:
        """End what runs now, and let nothing start any more."""
        self._closing.set()
        for process in list(self.processes):
            process.kill()

    def close(self) -> None:
        """End all processes: those that run blocks, and those that are kept for their checkpoints."""
        self.end()
        for session in self._resumable.values():
            session.process.close()
        self._resumable.clear()

    def run(self, job: Job) -> None:
        """Run the blocks of a job; its runs are reported to it.

        Raises:
            BlockError: the process died or hung, and errors are not to be shown.
        """
        while not job.is_over:
            with contextlib.suppress(Interrupted):
                self._run(job)
                return

    def finish(self, session: ResumableSession, name: str) -> None:
        """Note how long a session took whose blocks have all run, and discard its process."""
        if not session.is_resumed:
            seconds = max(round(session.seconds, 1), 0.1)  # not 0: sessions are shared out by their times
            timing = Timing(seconds, session.forkable, session.obstacle)
            with self._lock, contextlib.suppress(OSError):  # that the cache cannot be written has been logged
                self.cache.timings.put(name, timing)
        self.discard(session, name)

    def discard(self, session: ResumableSession, name: str) -> None:
        """Keep a process that has nothing left to run for its checkpoints, or end it."""
        if self.config.checkpoints and session.checkpoints and not self._closing.is_set():
            self._resumable[name] = session
        else:
            session.process.close()

    def _run(self, job: Job) -> None:
        session, is_parked = self._session(job)
        name, target = job.target.name, job.target
        first = len(session.runs)
        start = time.monotonic()
        earlier = self.cache.timings.get(name)
        seconds = earlier.seconds if earlier and not first else None
        self._log_start(name, len(target) - first, seconds)
        progress = SessionProgress(name, first + 1, len(target), start, seconds)
        is_waiting = False
        try:
            job.attach(session.process)
            for number, run in enumerate(session.runs):
                job.report(number, run)
            if not first:
                self._run_prelude(session, target.session.blocks[0], progress)
            is_waiting = not self._run_blocks(session, job, progress)
            session.seconds += time.monotonic() - start
            if is_waiting:
                return
        except (BlockError, Interrupted) as problem:
            if job.is_outdated:
                self.discard(session, name)
                raise Interrupted from problem
            session.process.close()
            if first and not is_parked and not self._closing.is_set():  # the checkpoint was no good: replay
                self._run(job)
                return
            if self.config.errors == "raise" or self._closing.is_set():
                raise
            self._report_death(job, session, str(problem), time.monotonic() - start)
        except BaseException:
            session.process.close()
            raise
        else:
            self.finish(session, name)
            log.info("codeout: %s: done in %.1f s%s", name, time.monotonic() - start, self._left(name))
        finally:
            if not is_waiting:
                self._forget(session, name)

    def _left(self, name: str) -> str:
        """Return the end of a message: which other sessions are still running."""
        others = [progress.session for progress in self.board.running() if progress.session != name]
        return f"; still running: {', '.join(others)}" if others else ""

    def _forget(self, session: ResumableSession, name: str) -> None:
        """Note that nothing of a session runs any more."""
        self.processes.discard(session.process)
        self.board.remove(name)

    def _session(self, job: Job) -> tuple[ResumableSession, bool]:
        """Return the process that is to run a job, and whether it was parked by it.

        Raises:
            BlockError: the build is ending.
        """
        parked = job.unpark()
        if parked and not job.is_outdated:
            self.processes.add(parked.process)
            return parked, True
        if parked:
            self._resumable[job.target.name] = parked
        target = job.begin()
        return self._start(target), False

    def _start(self, target: KeyedSession) -> ResumableSession:
        from codeout.run.process import KernelProcess  # on use, so that a build with nothing to run is quick

        ending = BlockError(f"{target.session.blocks[0] if len(target) else target.name}: not run: the build stopped")
        if self._closing.is_set() or not len(target):
            raise ending
        session = self._resumable.pop(target.name, None)
        if session is None or not session.rewind(target, self.lookup.inputs):
            session = ResumableSession(KernelProcess(self.config))
        self.processes.add(session.process)
        if self._closing.is_set():  # since it was checked above, before there was a process to end
            self.processes.discard(session.process)
            session.process.close()
            raise ending
        return session

    def _run_blocks(self, session: ResumableSession, job: Job, progress: SessionProgress) -> bool:
        """Run the blocks that are left; return False if the job was parked to wait for more."""
        while True:
            number = len(session.runs)
            step = job.take(number)
            if step is None:
                self._forget(session, progress.session)  # now: once it is parked, another thread may take it
                if job.park(session):
                    return False
                self.processes.add(session.process)
                if job.is_over:
                    return True
                continue
            if not self._run_block(
                session, job, step, msgspec.structs.replace(progress, block=number + 1, blocks=len(job.target))
            ):
                return True

    def _run_block(
        self, session: ResumableSession, job: Job, step: tuple[Block, KeyInputs], progress: SessionProgress
    ) -> bool:
        """Run a block and store its run; return False if it failed, so that no other can run."""
        (block, inputs), target, number = step, job.target, len(session.runs)
        result = self._run_in(session, block, Ticker(self.board, progress))
        session.written.append(result.written)
        read = self._resolve(session, block, (*session.observed, *result.observed))
        run = compose_run(self.config, target.session, block, inputs, result, read, session.runs)
        name = target.session.block_name(number + 1)
        if has_unexpected_error(block, run):
            self._report_failure(
                job, session, with_hint(run, partial(find_hint, block=block, config=self.config)), name
            )
            return False
        if session.is_tainted and self.config.checkpoints and job.restart():
            raise Interrupted
        key = msgspec.structs.replace(inputs.key, trace=add_trace(session.trace, read))
        session.add(block, inputs, run)
        if session.forkable == number:
            session.forkable, session.obstacle = number + (not result.obstacle), result.obstacle
        if not session.is_tainted and self.lookup.add_keys(target.session).inputs[number] == inputs:
            self._store(key, run, inputs, name)  # else: a file was edited meanwhile
        job.report(number, run)
        if self.config.checkpoints and session.process.checkpoint(number + 1):
            session.checkpoints.add(number + 1)
        return True

    def _run_in(self, session: ResumableSession, block: Block, on_progress: Ticker) -> BlockResult:
        """Run a block, with all its cases if it is swept.

        Raises:
            BlockError: as for `KernelProcess.run`.
        """
        if not block.sweep:
            return session.process.run(block, on_progress)
        is_alone = block.matches((*self.config.exclusive, *self.config.gpu))
        workers = 1 if is_alone else self.config.jobs or os.cpu_count() or 1
        log.info("codeout: %s: %d cases, %d at a time", block, len(block.sweep.cases), workers)
        replay = partial(self._replay, session, on_progress)
        return run_sweep(session.process, block, on_progress, replay, workers)

    def _replay(self, session: ResumableSession, on_progress: Ticker, case: Block) -> BlockResult:
        """Run a case of a block in a process of its own, after the blocks above it.

        Raises:
            BlockError: as for `KernelProcess.run`, or the build is ending.
        """
        from codeout.run.process import KernelProcess

        process = KernelProcess(self.config)
        self.processes.add(process)
        session.process.replays.add(process)
        try:
            if self._closing.is_set():
                raise BlockError(f"{case}: not run: the build stopped")
            above = [block for block, _ in session.steps]
            for block in (*self._prelude(case), *above):
                process.run(block, on_progress)
            return process.run(case, on_progress)
        finally:
            session.process.replays.discard(process)
            self.processes.discard(process)
            process.close()

    def _resolve(self, session: ResumableSession, block: Block, observed: Iterable[Observation]) -> tuple[Input, ...]:
        """Return what a block has read as inputs; note if some of it has changed since."""
        read, changed = self.lookup.inputs.resolve(observed)
        session.observed = ()
        if changed:
            session.is_tainted = True
            log.info("codeout: %s: %s changed while it ran; it will rerun", block, ", ".join(changed))
        return read

    def _report_failure(self, job: Job, session: ResumableSession, run: Run, name: str) -> None:
        """Report a failed run and, for the blocks below it, that they were skipped; where errors show, store it."""
        target, number = job.target, len(session.runs)
        if self.config.errors == "show" and not self._closing.is_set() and not session.is_tainted:
            key = msgspec.structs.replace(target.inputs[number].key, trace=add_trace(session.trace, run.inputs))
            self._store(key, run, target.inputs[number], name)
        job.report(number, run)
        for position in range(number + 1, len(target)):
            job.report(position, skipped_run(run, target.session.blocks[number]))
        job.end()

    def _report_death(self, job: Job, session: ResumableSession, message: str, seconds: float) -> None:
        target, number = job.target, len(session.runs)
        run = compose_death(self.config, target.session, target.inputs[number], message, seconds, session.runs)
        self._report_failure(job, session, run, target.session.block_name(number + 1))

    def _run_prelude(self, session: ResumableSession, first: Block, progress: SessionProgress) -> None:
        for prelude in self._prelude(first):
            progress = msgspec.structs.replace(progress, block=0)
            result = session.process.run(prelude, Ticker(self.board, progress))
            session.observed = result.observed
            for output in result.outputs:
                if isinstance(output, Error):
                    place = f"{prelude.origin.path}:{output.line or 1}"
                    raise BlockError(f"{place}: {output.type}: {output.message}\n{output.traceback}")

    def _prelude(self, first: Block) -> list[Block]:
        """Return the script that runs before a session's first block, if there is one, as a block."""
        path = self.config.prelude
        if not path:
            return []
        code = self.config.path(path).read_text(encoding="utf8")
        return [Block(place=first.place, session=first.session, code=code, origin=Place(path, 1))]

    def _store(self, key: Key, run: Run, inputs: KeyInputs, name: str) -> None:
        try:
            self.cache.put(key, run, inputs, name)
            self.lookup.inputs.save()
        except (OSError, ValueError) as problem:
            log.warning("codeout: %s: cannot store a run (%s); its block will rerun", self.cache.root, problem)

    @staticmethod
    def _log_start(name: str, blocks: int, seconds: float | None) -> None:
        estimate = f", about {seconds:.0f} s" if seconds else ""
        log.info("codeout: %s: running %d block%s%s", name, blocks, "" if blocks == 1 else "s", estimate)
