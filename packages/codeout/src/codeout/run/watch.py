"""Rerun stale blocks at each save and print their outputs, for `codeout watch`. No browser is needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from codeout.config import Config
from codeout.errors import CodeoutError
from codeout.model.blocks import Block
from codeout.model.outputs import Run, as_text
from codeout.run.engine import Engine

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
    while True:
        current = dict(_modification_times(engine.config))
        if current != previous:
            previous = current
            try:
                blocks = load_blocks()
                for block, run in zip(blocks, engine.run(blocks), strict=True):
                    if printed_runs.get(str(block.place)) != run:
                        printed_runs[str(block.place)] = run
                        print_message(f"\n{block}: {run.provenance.seconds:.2f} s\n{as_text(run)}".rstrip())
                print_message(f"\n{len(blocks)} blocks are up to date; waiting for changes (press Ctrl-C to stop)")
            except CodeoutError as problem:
                print_message(str(problem))
        time.sleep(POLL_INTERVAL)


def _modification_times(config: Config) -> Iterator[tuple[Path, int]]:
    """Yield each file that blocks depend on, with its modification time."""
    data = [file for files in config.data.values() for file in files]
    for name in {config.docs_dir, *config.paths, *data, config.prelude} - {""}:
        top = config.path(name)
        for path in top.rglob("*") if top.is_dir() else [top]:
            try:
                if path.is_file() and "__pycache__" not in path.parts:
                    yield path, path.stat().st_mtime_ns
            except FileNotFoundError:
                continue  # an editor may replace a file while it is checked
