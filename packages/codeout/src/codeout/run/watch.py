"""Rerun stale blocks at each save and print their outputs, for `codeout watch`. No browser is needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
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
