"""Run a swept block: each case in a process of its own, from the state above the block, side by side."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import msgspec

from codeout.model.blocks import Block
from codeout.model.inputs import Observation
from codeout.model.outputs import Case
from codeout.run.connection import Closed
from codeout.run.kernel_client import KernelClient
from codeout.run.results import BlockResult

if TYPE_CHECKING:
    from codeout.run.process import KernelProcess


class SharedFiles(Exception):
    """Cases that ran side by side have written the same files, or read what another has written."""


class Helpers(msgspec.Struct, frozen=True, kw_only=True):
    """Where cases run besides the core of their session."""

    count: int
    """How many threads may take a core."""
    borrow: Callable[[Callable[[], bool]], AbstractContextManager[bool]]
    """Waits for a free core, as long as it is wanted; says whether there is one."""
    look_again: Callable[[], None]
    """Is called when none is wanted any more."""


Replay = Callable[[Block], BlockResult]
"""Runs a block in a new process, after the blocks above it."""


def run_sweep(
    process: KernelProcess, block: Block, on_progress: Callable[[str], None], replay: Replay, helpers: Helpers
) -> BlockResult:
    """Run a block and its cases; return the result of the block itself, with the cases.

    Args:
        process: has run the blocks above it, and will run those below.
        block: the block.
        on_progress: as for `KernelProcess.run`.
        replay: for cases for which the process cannot be forked.
        helpers: the cores on which cases may run besides that of the session.

    Raises:
        BlockError: as for `KernelProcess.run`, for any of the cases.
        SharedFiles: the results are worth nothing, since the cases have disturbed each other.
    """
    cases = _Cases(block, process.branch(len(block.cases)), replay)
    with ThreadPoolExecutor(max(helpers.count, 1)) as pool:
        futures = [pool.submit(cases.help_out, helpers) for _ in range(min(helpers.count, len(block.cases)))]
        try:
            result = process.run(block, on_progress)
            while cases.left:
                cases.run_next()
            helpers.look_again()
            for future in futures:
                future.result()
        except BaseException:
            cases.left.clear()
            helpers.look_again()
            raise
        finally:
            process.end_branches()
    results = [cases.results[number] for number in range(len(block.cases))]
    if _share_files([result, *results]):
        raise SharedFiles
    return merge_cases(block, result, results)


class _Cases:
    """The cases of a block that are left, and the results of those that have run. Any thread may run the next one."""

    def __init__(self, block: Block, branches: Sequence[KernelClient], replay: Replay) -> None:
        forks = [*branches, *[None] * (len(block.cases) - len(branches))]
        self.left = deque(enumerate(zip(block.cases, forks, strict=True)))
        self.results: dict[int, BlockResult] = {}
        self._replay = replay

    def run_next(self) -> None:
        """Run a case, unless other threads have taken all."""
        try:
            number, case = self.left.popleft()
        except IndexError:
            return
        self.results[number] = _run_case(*case, self._replay)

    def help_out(self, helpers: Helpers) -> None:
        """Run cases on a core that is free, one core for each, until none is left."""
        while self.left:
            with helpers.borrow(lambda: bool(self.left)) as has_core:
                if has_core:
                    self.run_next()


def _share_files(results: Sequence[BlockResult]) -> bool:
    """Return whether one case has changed what another has changed or read."""
    owners: dict[str, int] = {}
    for number, result in enumerate(results):
        if any(owners.setdefault(path, number) != number for path in result.report.written):
            return True
    return any(
        owners.get(path, number) != number
        for number, result in enumerate(results)
        for path in map(_path_of, result.report.observed)
    )


def _path_of(observation: Observation) -> str:
    """Return the path that was read, or looked for in vain."""
    is_missing = observation.kind == "missing" and isinstance(observation.state, str)
    return os.path.join(observation.name, str(observation.state)) if is_missing else observation.name  # noqa: PTH118


def _run_case(block: Block, fork: KernelClient | None, replay: Replay) -> BlockResult:
    """Run a case in a fork; where that is not possible, or the fork misses a thread, after a replay."""
    if fork is None:
        return replay(block)
    try:
        return fork.run(block, _ignore, fork.interrupt)
    except Closed:
        return replay(block)
    finally:
        fork.hang_up()


def _ignore(text: str) -> None:
    """Show no progress: the terminal has that of the code's own values."""


def merge_cases(block: Block, own: BlockResult, others: Sequence[BlockResult]) -> BlockResult:
    """Return the result of a block with its cases; it has read whatever one of them has."""
    reports = [own.report, *(other.report for other in others)]
    report = msgspec.structs.replace(
        own.report,
        observed=tuple(observation for report in reports for observation in report.observed),
        reads_lines=any(report.reads_lines for report in reports),
        used_network=any(report.used_network for report in reports),
        written=tuple(path for report in reports for path in report.written),
    )
    cases = zip(block.sweep.cases[1:], others, strict=True)
    return BlockResult(
        outputs=own.outputs,
        report=report,
        cases=tuple(Case(values, other.outputs, other.report.seconds) for values, other in cases),
    )
