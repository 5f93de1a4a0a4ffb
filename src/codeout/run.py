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
from datetime import UTC, datetime
from threading import Lock

from codeout import environment
from codeout.blocks import Block, Place, block_name, by_page, session_name, sessions
from codeout.child import Worker
from codeout.config import Config
from codeout.errors import BlockError, CodeoutError, PageError
from codeout.expectations import check, skipped, unexpected, with_absence
from codeout.keys import Key, Recipe
from codeout.live import Live
from codeout.outputs import Error, Provenance, Run
from codeout.progress import Progress, log
from codeout.store import Store


class Engine:
    """Runs the blocks of a site."""

    def __init__(self, config: Config) -> None:
        """Start nothing yet."""
        self.config = config
        self.store = Store(config.path(config.store))
        self._prepared = False
        self._lock = Lock()
        self._workers: set[Worker] = set()
        self._live: dict[str, Live] = {}  # sessions that can go on from a copy, by name
        self._failed: dict[Key, tuple[Sequence[Block], list[Run] | BlockError]] = {}  # by a session's last key

    def run(self, blocks: Sequence[Block]) -> list[Run]:
        """Return the run of each block of a page, or of many pages, in order.

        Raises:
            CodeoutError: a block did what its page does not expect, or can't be run; all such blocks are named. With
                `errors: show` a block's exception, death or hang is an output instead.
        """
        if not blocks:
            return []
        self._prepare()
        groups = [group for page in by_page(blocks) for group in sessions(page)]
        times = self.store.times()  # the longest first: it decides when the build is done
        groups.sort(key=lambda group: -times.get(session_name(group), float("inf")))
        futures = self._all(groups)
        problems = [problem for future in futures if (problem := future.exception())]
        for problem in problems:
            if not isinstance(problem, CodeoutError):
                raise problem
        if problems:
            kind = BlockError if isinstance(problems[0], BlockError) else PageError
            raise kind("\n\n".join(dict.fromkeys(str(problem) for problem in problems)))
        # By identity: two fences of a page may be equal.
        ran = [zip(group, future.result(), strict=True) for group, future in zip(groups, futures, strict=True)]
        found = {id(block): run for pairs in ran for block, run in pairs}
        return [found[id(block)] for block in blocks]

    def close(self) -> None:
        """End all processes that are kept to go on from."""
        for live in self._live.values():
            live.worker.close()
        self._live.clear()

    def _all(self, groups: Sequence[Sequence[Block]]) -> list[Future[list[Run]]]:
        """Run sessions side by side; whatever interrupts that ends their workers at once."""
        pool = ThreadPoolExecutor(self.config.jobs or os.cpu_count() or 1)
        try:
            futures = [pool.submit(self._session, group) for group in groups]
            wait(futures)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in list(self._workers):
                worker.kill()
            pool.shutdown()  # each session closes its worker, and removes its scratch folder
            raise
        pool.shutdown()
        return futures

    def _prepare(self) -> None:
        """Run the script that fetches data, once: on the terminal, where its progress is seen.

        Raises:
            PageError: it did not end well, or a folder of the settings is not there.
        """
        with self._lock:
            if self._prepared:
                return
            for path in self.config.paths:
                if not self.config.path(path).is_dir():
                    raise PageError(f"mkdocs.yml:1: codeout: 'paths' names {path!r}, and there is no such folder")
            if script := self.config.prepare:
                command = [sys.executable, str(self.config.path(script))]
                done = subprocess.run(command, cwd=self.config.root, check=False)
                if done.returncode:
                    raise PageError(f"{script}:1: ended with exit code {done.returncode}; it says why above")
            self._prepared = True

    def _session(self, session: Sequence[Block]) -> list[Run]:
        recipes = environment.session_recipes(session, self.config)
        found = [self.stored(block, recipe.key) for block, recipe in zip(session, recipes, strict=True)]
        runs = [run for run in found if run is not None]
        if len(runs) < len(session):
            runs = self._new(session, recipes)
        if self.config.errors == "show":
            return [with_absence(block, run) for block, run in zip(session, runs, strict=True)]
        for block, run in zip(session, runs, strict=True):
            check(block, run)
        return runs

    def stored(self, block: Block, key: Key) -> Run | None:
        """Return the run of a block from the store, unless something that it depends on is not what it was."""
        run = self.store.get(key)
        if run is None or run.modules != environment.digests([path for path, _ in run.modules], self.config):
            return None
        if run.origin != str(block.origin) and run.mentions(run.origin.rsplit(":", 1)[0]):
            return None  # it names lines that are elsewhere now
        return run

    def _new(self, session: Sequence[Block], recipes: Sequence[Recipe]) -> list[Run]:
        """Run a session, unless this engine has just seen it fail."""
        known, failed = self._failed.get(recipes[-1].key, ((), []))
        if known != session:
            try:
                failed = self._run(session, recipes)
            except BlockError as problem:
                failed = problem
            if isinstance(failed, list) and not any(unexpected(b, r) for b, r in zip(session, failed, strict=True)):
                return failed
            self._failed[recipes[-1].key] = (session, failed)
        if isinstance(failed, BlockError):
            raise failed
        return failed

    def _run(self, session: Sequence[Block], recipes: Sequence[Recipe]) -> list[Run]:
        """Run what is new of a session: all of it in a new worker, or the end of it in one that goes on from a copy."""
        name = session_name(session)
        start = time.monotonic()
        live = self._live.pop(name, None)
        done = live.go_on(session, recipes, self.config) if live else 0
        if live is None or not done:
            live = Live(Worker(self.config))
        estimate = self.store.times().get(name)
        about = f", about {estimate:.0f} s" if estimate and not done else ""
        log.info("codeout: %s: running %d blocks%s", name, len(session) - done, about)
        self._workers.add(live.worker)
        try:
            if self.config.prelude and not done:
                self._prelude(live.worker, session[0])
            failed = self._blocks(live, session, recipes)
        except BlockError as problem:
            live.worker.close()
            if done:  # the copy was no good: once more, from the first block
                return self._run(session, recipes)
            if self.config.errors == "raise":
                raise
            error = Error("BlockError", str(problem), str(problem), None)
            died = Run((error,), self._provenance(session, recipes[0], time.monotonic() - start))
            return [*live.runs, *[died] * (len(session) - len(live.runs))]
        except BaseException:
            live.worker.close()
            raise
        finally:
            self._workers.discard(live.worker)
        if self.config.snapshots and live.copies:
            self._live[name] = live
        else:
            live.worker.close()
        if not failed and not done:
            self._keep_time(name, time.monotonic() - start)
        log.info("codeout: %s: done in %.1f s", name, time.monotonic() - start)
        return [*live.runs, *failed]

    def _blocks(self, live: Live, session: Sequence[Block], recipes: Sequence[Recipe]) -> list[Run]:
        """Run the blocks that are left, and keep what they produced; return what to show from one that failed on."""
        for number, (block, recipe) in enumerate(zip(session, recipes, strict=True), start=1):
            if number <= len(live.runs):
                continue
            answer = live.worker.run(block, Progress(f"{session_name(session)}: block {number} of {len(session)}"))
            modules = environment.digests(answer.modules, self.config)
            provenance = self._provenance(session, recipe, answer.seconds)
            run = Run(answer.outputs, provenance, str(block.origin), modules)
            if unexpected(block, run):
                return [run, *[skipped(run, block)] * (len(session) - number)]
            live.add(block, recipe, run)
            if environment.session_recipes(session, self.config)[number - 1] == recipe:
                self._keep(run, recipe, block_name(session, number))  # else: a file was edited meanwhile
            if self.config.snapshots and live.worker.snapshot(number):
                live.copies.add(number)
        return []

    def _provenance(self, session: Sequence[Block], recipe: Recipe, seconds: float) -> Provenance:
        told = recipe.environment
        shown = tuple((package, version) for package, version in told.packages if package in self.config.packages)
        date = datetime.now(UTC).isoformat(timespec="seconds")
        return Provenance(told.device, told.python, shown, seconds, date, environment.sources(session, self.config))

    def _prelude(self, worker: Worker, first: Block) -> None:
        path = self.config.prelude
        code = self.config.path(path).read_text(encoding="utf8")
        prelude = Block(place=first.place, session=first.session, code=code, origin=Place(path, 1))
        for output in worker.run(prelude, Progress(path)).outputs:
            if isinstance(output, Error):
                raise BlockError(f"{path}:{output.line or 1}: {output.type}: {output.message}\n{output.traceback}")

    def _keep(self, run: Run, recipe: Recipe, name: str) -> None:
        try:
            self.store.put(recipe.key, run, recipe, name)
        except (OSError, ValueError) as problem:
            log.warning("codeout: %s: can't keep a run (%s); it will run again", self.store.root, problem)

    def _keep_time(self, name: str, seconds: float) -> None:
        with self._lock, contextlib.suppress(OSError):  # that the store can't be written has been said
            self.store.keep_time(name, seconds)
