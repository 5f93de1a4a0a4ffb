"""`codeout watch`: runs what an edit changed, as soon as it is saved, and prints what came out. No browser needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from codeout.config import Config
from codeout.errors import CodeoutError
from codeout.model.blocks import Block
from codeout.model.outputs import Run, as_text
from codeout.run.engine import Engine

PAUSE = 0.2  # seconds between two looks at the files

Stamp = dict[Path, int]  # when each file was last changed


def watch(find: Callable[[], Sequence[Block]], engine: Engine, say: Callable[[str], None]) -> None:
    """Run blocks at each change of a file, until interrupted.

    Args:
        find: returns the blocks as they are now.
        engine: runs them; it keeps copies of processes to go on from, and shows errors in their place.
        say: prints a message.
    """
    shown: dict[str, Run] = {}
    before: Stamp = {}
    while True:
        now = dict(_stamps(engine.config))
        if now != before:
            before = now
            try:
                blocks = find()
                for block, run in zip(blocks, engine.run(blocks), strict=True):
                    if shown.get(str(block.place)) != run:
                        shown[str(block.place)] = run
                        say(f"\n{block}: {run.provenance.seconds:.2f} s\n{as_text(run)}".rstrip())
                say(f"\n{len(blocks)} blocks are up to date; waiting for changes (press Ctrl-C to stop)")
            except CodeoutError as problem:
                say(str(problem))
        time.sleep(PAUSE)


def _stamps(config: Config) -> Iterator[tuple[Path, int]]:
    """Yield each file that blocks are made from, and when it was changed."""
    data = [file for files in config.data.values() for file in files]
    for name in {config.docs_dir, *config.paths, *data, config.prelude} - {""}:
        top = config.path(name)
        for path in top.rglob("*") if top.is_dir() else [top]:
            try:
                if path.is_file() and "__pycache__" not in path.parts:
                    yield path, path.stat().st_mtime_ns
            except FileNotFoundError:
                continue  # an editor replaces files
