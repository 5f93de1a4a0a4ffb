"""Whether each block of a site is up to date, why it is not, and how its session resumes after an edit."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from codeout.cache import environment
from codeout.cache.keys import KeyInputs, causes
from codeout.cache.store import MEMO
from codeout.cache.timings import Timing
from codeout.config import Config
from codeout.model.blocks import Block, block_name, by_page, session_name, sessions

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
    for session in _sessions(blocks):
        inputs = environment.session_inputs(session, config)
        for number, (block, block_inputs) in enumerate(zip(session, inputs, strict=True), start=1):
            yield block, block_inputs, block_name(session, number)


def block_statuses(engine: Engine, blocks: Sequence[Block]) -> Iterator[BlockStatus]:
    """Yield the status of each block, session by session.

    Raises:
        PageError: a data file or the prelude is missing.
    """
    for block, inputs, _ in inputs_by_block(blocks, engine.config):
        run = engine.stored(block, inputs.key)
        if run is None:
            yield BlockStatus(str(block), block.session, "stale")
        else:
            took = round(run.provenance.seconds, 3)
            size = engine.store.count_bytes(inputs.key)
            yield BlockStatus(str(block), block.session, "hit", run.provenance.device, took, size)


def block_reasons(engine: Engine, blocks: Sequence[Block]) -> Iterator[BlockReasons]:
    """Yield why each block is stale, session by session.

    Raises:
        PageError: a data file or the prelude is missing.
    """
    newest = engine.store.newest_entries()
    for block, inputs, name in inputs_by_block(blocks, engine.config):
        if engine.stored(block, inputs.key) is not None:
            yield BlockReasons(str(block), ("hit",))
        else:
            last = newest.get(name)
            yield BlockReasons(str(block), stale_reasons(last.inputs if last else None, inputs))


def stale_reasons(old: KeyInputs | None, new: KeyInputs) -> tuple[str, ...]:
    """Return why a block that was last run with `old` inputs is stale."""
    if old is None:
        return ("has not run yet",)
    return tuple(causes(old, new)) or ("a module that it loads changed, or its line numbers did",)


def resume_modes(timings: dict[str, Timing], blocks: Sequence[Block]) -> dict[str, str]:
    """Return for each session, by name, how it resumes after an edit during `mkdocs serve` or `codeout watch`."""
    can_fork = sys.platform == "linux"
    return {
        session_name(session): resume_mode(len(session), timings.get(session_name(session)), can_fork=can_fork)
        for session in _sessions(blocks)
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
    return f"replay: the process has threads after block {first}; an edit below it reruns the blocks above, too"


def remove_unused(engine: Engine, blocks: Sequence[Block]) -> tuple[int, int]:
    """Remove from the cache the runs that none of a site's blocks needs on any device, and all exported pages.

    Args:
        engine: the site's.
        blocks: all blocks of the site.

    Returns:
        How many runs were removed, and how many remain.

    Raises:
        PageError: a data file or the prelude is missing.
    """
    needed = {inputs.key.code for _, inputs, _ in inputs_by_block(blocks, engine.config)}
    shutil.rmtree(engine.store.root / MEMO / "exports", ignore_errors=True)  # the next build writes them again
    return engine.store.clean(needed)


def _sessions(blocks: Sequence[Block]) -> Iterator[Sequence[Block]]:
    for page in by_page(blocks):
        yield from sessions(page)
