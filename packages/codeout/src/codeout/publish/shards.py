"""Work for several machines: the stale sessions of a site, split so that all machines are done at about the same time.

How the machines are started is not decided here; a matrix of GitHub Actions jobs is one way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from codeout.cache.files import read_json
from codeout.cache.lookup import Lookup
from codeout.cache.timings import Timing
from codeout.errors import PageError, suggest
from codeout.model.blocks import Block, group_sessions, select_blocks

MAX_PLAN_BYTES = 10_000_000


class Shard(msgspec.Struct):
    """What one machine is to run."""

    device: Literal["cpu", "gpu"]
    seconds: float = 0.0
    """How long it will take, estimated from the last runs."""
    sessions: list[str] = []
    """Their names."""


class _PlannedShard(msgspec.Struct):
    sessions: list[str]


class _Plan(msgspec.Struct):
    shards: list[_PlannedShard]


_decoder = msgspec.json.Decoder(_Plan)


def plan_shards(lookup: Lookup, blocks: Sequence[Block], machines: int, gpu_machines: int = 0) -> list[Shard]:
    """Split the stale sessions of these blocks across machines without a GPU, and machines with one.

    Raises:
        PageError: data are missing.
    """
    stale = [cached.name for cached in lookup.load(group_sessions(blocks)) if cached.is_stale]
    on_gpu = [session.name for session in group_sessions(select_blocks(blocks, lookup.config.gpu))]
    return split(stale, on_gpu, lookup.cache.timings.load_all(), machines, gpu_machines)


def split(
    stale: Sequence[str], on_gpu: Sequence[str], timings: Mapping[str, Timing], machines: int, gpu_machines: int = 0
) -> list[Shard]:
    """Split the named sessions across machines: the longest first, each to the machine that is free first.

    This is Graham's rule (1969): at most 4/3 of the shortest time that any split takes. A session that has not run
    yet is taken to need as long as the others need on average. Without machines that have a GPU, all go to the others.
    """
    shards = [Shard("cpu") for _ in range(machines)] + [Shard("gpu") for _ in range(gpu_machines)]
    seconds = [timing.seconds for timing in timings.values()]
    average = sum(seconds) / len(seconds) if seconds else 10.0  # none has run yet
    estimates = {name: timings[name].seconds if name in timings else average for name in stale}
    for name in sorted(stale, key=lambda name: (-estimates[name], name)):
        device = "gpu" if gpu_machines and name in on_gpu else "cpu"
        first_free = min((shard for shard in shards if shard.device == device), key=lambda shard: shard.seconds)
        first_free.sessions.append(name)
        first_free.seconds += estimates[name]
    return shards


def select_shard(blocks: Sequence[Block], plan: Path, number: int) -> list[Block]:
    """Return the blocks of one shard, by its number from 1, of a plan that `codeout plan --json` wrote.

    Raises:
        PageError: the plan can't be read, has no such shard, or names a session that no page has.
    """
    try:
        shards = read_json(plan, _decoder, MAX_PLAN_BYTES).shards
    except OSError as problem:
        raise PageError(f"{plan}:1: cannot be read: {problem.strerror or problem}") from problem
    except ValueError as problem:
        raise PageError(f"{plan}:1: not a plan; create one with `codeout plan --shards N --json`") from problem
    if not 1 <= number <= len(shards):
        raise PageError(f"{plan}:1: no shard {number}; the plan has {len(shards)}")
    by_name = {session.name: session.blocks for session in group_sessions(blocks)}
    names = shards[number - 1].sessions
    if unknown := sorted({*names} - by_name.keys()):
        raise PageError(f"{plan}:1: no page has a session {unknown[0]!r}{suggest(unknown[0], by_name)}")
    return [block for name in names for block in by_name[name]]
