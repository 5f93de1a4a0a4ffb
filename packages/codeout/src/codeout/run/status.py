"""Whether each block of a site is up to date, why it is not, and how its session resumes after an edit."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from codeout.cache import environment
from codeout.cache.build_record import read_record
from codeout.cache.keys import KeyInputs, describe_changes
from codeout.cache.timings import Timing
from codeout.config import Config
from codeout.model.blocks import Block, group_sessions

if TYPE_CHECKING:
    from codeout.run.engine import Engine


@dataclass(frozen=True, slots=True)
class BlockStatus:
    """Whether the cache has a run of a block, and what that run took."""

    block: str
    """`path:line` of the block."""

    session: str
    """Name of its session; empty if it has none."""

    state: Literal["hit", "stale"]
    """Whether the next build takes its outputs from the cache or runs it."""

    device: str | None = None
    """Device of the cached run."""

    seconds: float | None = None
    """Time that the cached run took."""

    bytes: int | None = None
    """Size of the cached run on disk."""


@dataclass(frozen=True, slots=True)
class BlockReasons:
    """Why a block is stale."""

    block: str
    """`path:line` of the block."""

    why: tuple[str, ...]
    """Reasons; only "hit" if it is up to date."""


def inputs_by_block(blocks: Sequence[Block], config: Config) -> Iterator[tuple[Block, KeyInputs, str]]:
    """Yield each block with what its cache key covers now, and with its name in the cache.

    Raises:
        PageError: a data file or the prelude is missing.
    """
    for session in group_sessions(blocks):
        keyed = environment.add_keys(session, config)
        for (block, inputs), name in zip(keyed, session.block_names, strict=True):
            yield block, inputs, name


def block_statuses(engine: Engine, blocks: Sequence[Block]) -> Iterator[BlockStatus]:
    """Yield the status of each block, session by session.

    Raises:
        PageError: a data file or the prelude is missing.
    """
    for block, inputs, _ in inputs_by_block(blocks, engine.config):
        run = engine.lookup.get(block, inputs.key)
        if run is None:
            yield BlockStatus(str(block), block.session, "stale")
        else:
            took = round(run.provenance.seconds, 3)
            size = engine.lookup.cache.count_bytes(inputs.key)
            yield BlockStatus(str(block), block.session, "hit", run.provenance.device, took, size)


def block_reasons(engine: Engine, blocks: Sequence[Block]) -> Iterator[BlockReasons]:
    """Yield why each block is stale, session by session.

    Raises:
        PageError: a data file or the prelude is missing.
    """
    newest = engine.lookup.cache.newest_entries()
    for block, inputs, name in inputs_by_block(blocks, engine.config):
        if engine.lookup.get(block, inputs.key) is not None:
            yield BlockReasons(str(block), ("hit",))
        else:
            last = newest.get(name)
            yield BlockReasons(str(block), stale_reasons(last.inputs if last else None, inputs))


def stale_reasons(old: KeyInputs | None, new: KeyInputs) -> tuple[str, ...]:
    """Return why a block that was last run with `old` inputs is stale."""
    if old is None:
        return ("has not run yet",)
    return tuple(describe_changes(old, new)) or ("a module that it imports changed, or its line numbers did",)


def resume_modes(timings: dict[str, Timing], blocks: Sequence[Block]) -> dict[str, str]:
    """Return for each session, by name, how it resumes after an edit during `mkdocs serve` or `codeout watch`."""
    can_fork = sys.platform == "linux"
    return {
        session.name: resume_mode(len(session.blocks), timings.get(session.name), can_fork=can_fork)
        for session in group_sessions(blocks)
    }


def resume_mode(blocks: int, timing: Timing | None, *, can_fork: bool) -> str:
    """Return how a session resumes after an edit: "checkpoint", "replay" or "unknown", and a sentence about it.

    Args:
        blocks: how many the session has.
        timing: how its last full run went; None if there was none.
        can_fork: whether a process can be forked on this system.
    """
    if timing is None:
        return "unknown: the session has not run here yet"
    if timing.checkpoints >= blocks - 1:
        return "checkpoint: an edit resumes from the block above it"
    if not can_fork:
        return "replay: an edit reruns the session, because checkpoints need Linux"
    first = timing.checkpoints + 1
    return f"replay: threads run after block {first}; an edit below it reruns the session from its first block"


def unused_runs(engine: Engine, blocks: Sequence[Block]) -> list[Path]:
    """Return the files of the runs that neither these blocks nor the last build needs, on any device.

    Args:
        engine: the site's.
        blocks: all blocks of the site.

    Raises:
        PageError: a data file or the prelude is missing.
    """
    needed = {inputs.key.code for _, inputs, _ in inputs_by_block(blocks, engine.config)}
    record = read_record(engine.config)
    return engine.lookup.cache.unused(needed | (record.code_keys if record else set()))


def remove_runs(engine: Engine, paths: Sequence[Path]) -> None:
    """Remove runs from the cache, with the pictures that no other run shows, and all exported pages."""
    for path in paths:
        path.unlink(missing_ok=True)
    engine.lookup.cache.clean_pictures()
    shutil.rmtree(engine.config.memo / "exports", ignore_errors=True)  # the next build writes them again
