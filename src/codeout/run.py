"""The engine: blocks in, runs out. What the store has is taken from there; the rest is run, a worker a session.

A session whose block *k* is not in the store runs from its first block to its last: a block never runs in a
namespace that the blocks above it did not make, and all outputs of a session that ran come from the same run.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock

from codeout import environment
from codeout.blocks import Block, Place, sessions
from codeout.child import Worker
from codeout.config import Config
from codeout.errors import BlockError, CodeoutError, PageError
from codeout.keys import Key
from codeout.outputs import Error, Provenance, Run
from codeout.store import Store

QUIET = 10.0  # seconds after which a running session says that it is still there

log = logging.getLogger("mkdocs.plugins.codeout")  # shown by MkDocs; anywhere else an ordinary logger


class Engine:
    """Runs the blocks of a site."""

    def __init__(self, config: Config) -> None:
        """Start nothing yet."""
        self.config = config
        self.store = Store(config.path(config.store))
        self._prepared = False
        self._lock = Lock()

    def run(self, blocks: Sequence[Block]) -> list[Run]:
        """Return the run of each block of a page, or of many pages, in order.

        Raises:
            CodeoutError: a block did what its page does not expect, or can't be run. With `errors: show` a block's
                exception, death or hang is an output instead.
        """
        if not blocks:
            return []
        self._prepare()
        groups = [group for page in _pages(blocks) for group in sessions(page)]
        with ThreadPoolExecutor(self.config.jobs or os.cpu_count() or 1) as pool:
            futures = [pool.submit(self._session, group) for group in groups]
            problems = [future.exception() for future in futures]
        raised = [problem for problem in problems if problem is not None]
        for problem in raised:
            if not isinstance(problem, CodeoutError):
                raise problem
        if raised:
            kind = BlockError if isinstance(raised[0], BlockError) else PageError
            raise kind("\n\n".join(str(problem) for problem in raised))
        found = {
            block: run
            for group, future in zip(groups, futures, strict=True)
            for block, run in zip(group, future.result(), strict=True)
        }
        return [found[block] for block in blocks]

    def _prepare(self) -> None:
        """Run the script that fetches data, once: on the terminal, where its progress is seen.

        Raises:
            PageError: it did not end well.
        """
        with self._lock:
            if self._prepared or not self.config.prepare:
                return
            script = self.config.path(self.config.prepare)
            done = subprocess.run([sys.executable, str(script)], cwd=self.config.root, check=False)
            if done.returncode:
                raise PageError(f"{self.config.prepare}:1: ended with exit code {done.returncode}; it says why above")
            self._prepared = True

    def _session(self, session: Sequence[Block]) -> list[Run]:
        keys = environment.session_keys(session, self.config)
        found = [self.store.get(key) for key in keys]
        runs = [run for run in found if run is not None]
        if len(runs) < len(session):
            runs = self._run(session, keys)
        for block, run in zip(session, runs, strict=True):
            if self.config.errors == "raise":
                _check(block, run)
        return runs

    def _run(self, session: Sequence[Block], keys: Sequence[Key]) -> list[Run]:
        """Run all blocks of a session in a new worker, and keep what they produced."""
        name = session[0].session or str(session[0].place)
        told = environment.environment([block.code for block in session], self.config)
        shown = tuple((package, version) for package, version in told.packages if package in self.config.packages)
        sources = environment.sources(session, self.config)
        log.info("codeout: %s: running %d blocks", name, len(session))
        start = time.monotonic()
        worker = Worker(self.config)
        runs: list[Run] = []
        try:
            if self.config.prelude:
                self._prelude(worker, session[0])
            for number, (block, key) in enumerate(zip(session, keys, strict=True), start=1):
                progress = _Progress(f"{name}: block {number} of {len(session)}")
                outputs, seconds = worker.run(block, progress)
                date = datetime.now(UTC).isoformat(timespec="seconds")
                run = Run(tuple(outputs), Provenance(told.device, told.python, shown, seconds, date, sources))
                runs.append(run)
                if _unexpected(block, run):
                    runs += [_skipped(run, block)] * (len(session) - number)
                    break
                self._keep(key, run)
        except BlockError as problem:
            if self.config.errors == "raise":
                raise
            provenance = Provenance(told.device, told.python, shown, time.monotonic() - start, "", sources)
            died = Run((Error("BlockError", str(problem), str(problem), None),), provenance)
            runs += [died] * (len(session) - len(runs))
        finally:
            worker.close()
        log.info("codeout: %s: done in %.1f s", name, time.monotonic() - start)
        return runs

    def _prelude(self, worker: Worker, first: Block) -> None:
        path = self.config.prelude
        code = self.config.path(path).read_text(encoding="utf8")
        prelude = Block(place=first.place, session=first.session, code=code, origin=Place(path, 1))
        outputs, _ = worker.run(prelude, _Progress(path))
        for output in outputs:
            if isinstance(output, Error):
                raise BlockError(f"{path}:{output.line or 1}: {output.type}: {output.message}\n{output.traceback}")

    def _keep(self, key: Key, run: Run) -> None:
        try:
            self.store.put(key, run)
        except OSError as problem:
            log.warning("codeout: %s: can't keep a run (%s); it will run again", self.store.root, problem.strerror)


class _Progress:
    """Says in the log, now and then, that a block is at work, and the last that it printed."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._start = self._said = time.monotonic()
        self._last = ""

    def __call__(self, text: str) -> None:
        if words := text.strip():
            self._last = words.replace("\r", "\n").splitlines()[-1]
        if time.monotonic() - self._said >= QUIET:
            self._said = time.monotonic()
            log.info("codeout: %s, %.0f s: %s", self._what, self._said - self._start, self._last)


def _pages(blocks: Sequence[Block]) -> list[list[Block]]:
    pages: dict[str, list[Block]] = {}
    for block in blocks:
        pages.setdefault(block.place.path, []).append(block)
    return list(pages.values())


def _unexpected(block: Block, run: Run) -> bool:
    return run.error is not None and run.error.type != block.raises


def _skipped(run: Run, failed: Block) -> Run:
    words = f"Did not run: the block at {failed} failed."
    return replace(run, outputs=(Error("Skipped", words, words, None),))


def _check(block: Block, run: Run) -> None:
    """Raise if a block raised what its page does not expect, or did not raise what it does.

    Raises:
        BlockError: with the page and line, the snippet and line, and the traceback.
    """
    error = run.error
    if error is None and block.raises:
        raise BlockError(f"{block}: raised nothing, but the page expects {block.raises}")
    if error is not None and error.type != block.raises:
        expected = f" (the page expects {block.raises})" if block.raises else ""
        where = block.line(error.line)
        raise BlockError(f"{where}: {error.type}: {error.message}{expected}\n{error.traceback}".rstrip())
