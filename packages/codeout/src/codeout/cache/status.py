"""Whether each block of a site is up to date, why it is not, and how its session resumes after an edit."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from codeout.cache.build_record import read_record
from codeout.cache.input_reader import CurrentInputs
from codeout.cache.keys import KeyInputs, describe_changes
from codeout.cache.lookup import CachedSession, Lookup
from codeout.cache.store import Entry
from codeout.cache.timings import Timing
from codeout.errors import PageError
from codeout.model.blocks import Block, group_sessions
from codeout.model.inputs import describe_change, describe_input

HIT = ("hit",)
LINES_MOVED = ("its line numbers changed, and its output may contain some",)


class BlockStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the cache has a run of a block; that run's device, seconds, and bytes on disk."""

    block: str
    """`path:line` of the block."""
    session: str
    """Name of its session; empty if it has none."""
    state: Literal["hit", "stale"]
    """Whether the next build takes its outputs from the cache or runs it."""
    device: str | None = None
    seconds: float | None = None
    bytes: int | None = None


class BlockInputs(msgspec.Struct, frozen=True):
    """What a block read."""

    block: str
    """`path:line` of the block."""
    inputs: tuple[str, ...]
    """In words."""


class BlockReasons(msgspec.Struct, frozen=True):
    """Why a block is stale."""

    block: str
    """`path:line` of the block."""
    why: tuple[str, ...]
    """Reasons; only "hit" if it is up to date."""

    @property
    def is_stale(self) -> bool:
        """Whether the block is not up to date."""
        return self.why != HIT


def block_statuses(lookup: Lookup, blocks: Sequence[Block]) -> Iterator[BlockStatus]:
    """Yield the status of each block, session by session.

    Raises:
        PageError: a data file or the prelude is missing.
    """
    for cached in look_up(lookup, blocks):
        for block, key, run in zip(cached.session.blocks, cached.keys, cached.cached, strict=True):
            row = BlockStatus(block=str(block), session=block.session, state="hit" if run else "stale")
            if run:
                took, size = round(run.total_seconds, 3), lookup.cache.count_bytes(key)
                row = msgspec.structs.replace(row, device=run.provenance.device, seconds=took, bytes=size)
            yield row


def block_reasons(lookup: Lookup, blocks: Sequence[Block]) -> Iterator[BlockReasons]:
    """Yield why each block is stale, session by session.

    Raises:
        PageError: a data file or the prelude is missing.
    """
    newest, now = lookup.cache.newest_entries(), lookup.inputs.now()
    for cached in look_up(lookup, blocks):
        above: Block | None = None  # the first stale block
        names = cached.session.block_names
        for (block, inputs), name, run in zip(cached.keyed, names, cached.cached, strict=True):
            if run is not None:
                yield BlockReasons(str(block), HIT)
                continue
            reasons = stale_reasons(newest.get(name), inputs, now)
            yield BlockReasons(str(block), reasons or ((f"{above} above it is stale",) if above else LINES_MOVED))
            above = above or block


def stale_reasons(last: Entry | None, new: KeyInputs, now: CurrentInputs) -> tuple[str, ...]:
    """Return why a block is stale, but for what the blocks above it have read."""
    if last is None:
        return ("has not run yet",)
    changes = describe_changes(last.inputs, new)
    changes += [describe_change(each, now.read(each)) for each in last.read if not each.is_unchanged(now.read(each))]
    return tuple(changes)


def block_inputs(lookup: Lookup, blocks: Sequence[Block]) -> Iterator[BlockInputs]:
    """Yield what each block has read that those above it had not, session by session.

    Raises:
        PageError: a data file or the prelude is missing.
    """
    newest = lookup.cache.newest_entries()
    for cached in look_up(lookup, blocks):
        for block, name, run in zip(cached.session.blocks, cached.session.block_names, cached.cached, strict=True):
            last = newest.get(name)
            read = run.inputs if run else last.read if last else ()
            words = [describe_input(each) for each in read]
            if run and run.provenance.used_network:
                words.append("the network")
            if run and run.provenance.observer == "python":
                words.append("observed: Python's own reads")
            if run and run.provenance.checks_obstacle:
                words.append(f"checks in the session itself, since {run.provenance.checks_obstacle}")
            yield BlockInputs(str(block), tuple(words))


def look_up(lookup: Lookup, blocks: Sequence[Block]) -> list[CachedSession]:
    """Return the sessions of blocks with what the cache has of them; data are not prepared.

    Raises:
        PageError: a data file or the prelude is missing.
    """
    now = lookup.inputs.now()
    return [lookup.peek(session, now) for session in group_sessions(blocks)]


def resume_modes(timings: dict[str, Timing], blocks: Sequence[Block]) -> dict[str, str]:
    """Return for each session, by name, how it resumes after an edit during `mkdocs serve` or `codeout watch`."""
    can_fork = sys.platform == "linux"
    return {
        session.name: resume_mode(len(session.blocks), timings.get(session.name), can_fork=can_fork)
        for session in group_sessions(blocks)
    }


def resume_mode(blocks: int, timing: Timing | None, *, can_fork: bool) -> str:
    """Return how a session resumes after an edit: "checkpoint", "replay" or "unknown", and a sentence about it."""
    if timing is None:
        return "unknown: the session has not run here yet"
    if timing.checkpoints >= blocks - 1:
        return "checkpoint: an edit resumes from the block above it"
    if not can_fork:
        return "replay: an edit reruns the session, because checkpoints need Linux"
    first, why = timing.checkpoints + 1, timing.obstacle or "no checkpoint could be made"
    return f"replay: {why} after block {first}; an edit below it reruns the session from block {first}"


def unused_runs(lookup: Lookup, blocks: Sequence[Block]) -> list[Path]:
    """Return the files of the runs that neither these blocks nor the last build needs, on any device.

    Raises:
        PageError: a data file or the prelude is missing, or a folder of the cache cannot be read.
    """
    keys = [key for cached in look_up(lookup, blocks) for key in cached.keys]
    record = read_record(lookup.config)
    recorded = [key for page in record.pages for key in page.keys] if record else []
    codes = {key.code for key in keys} | {key.partition("-")[0] for key in recorded}
    with cache_errors():
        return lookup.cache.unused(codes, [*recorded, *(str(key) for key in keys if key.trace)])


def remove_runs(lookup: Lookup, paths: Sequence[Path]) -> None:
    """Remove runs from the cache, with the pictures that no other run shows.

    Raises:
        PageError: a folder of the cache cannot be read, or a file cannot be removed.
    """
    with cache_errors():
        for path in paths:
            path.unlink(missing_ok=True)
        lookup.cache.clean_pictures()
        lookup.cache.remove_temporary_files()


@contextlib.contextmanager
def cache_errors() -> Iterator[None]:
    """Say in one sentence what cannot be read or changed in the cache.

    Raises:
        PageError: there is something.
    """
    try:
        yield
    except OSError as problem:
        hint = "the cache must be a folder that you may read and change"
        raise PageError(f"{problem.filename}:1: {problem.strerror}; {hint}") from problem
