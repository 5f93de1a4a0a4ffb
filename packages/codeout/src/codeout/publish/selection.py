"""Choose what a machine runs: the sessions that use a GPU, or one shard of a plan."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from codeout.cache import environment
from codeout.cache.store import RunStore
from codeout.config import Config
from codeout.errors import PageError, suggest
from codeout.model.blocks import Block, block_name, by_page, session_name, sessions
from codeout.model.outputs import Run
from codeout.publish import shards
from codeout.publish.accept import Known
from codeout.run.engine import Engine


def gpu_blocks(blocks: Sequence[Block], config: Config) -> list[Block]:
    """Return the blocks of the sessions that match the setting `gpu`; all blocks, if it is empty."""
    patterns = config.gpu or ("*",)
    return [block for block in blocks if block.matches(patterns)]


def shard_blocks(blocks: Sequence[Block], plan: Path, number: int) -> list[Block]:
    """Return the blocks of one shard of a plan.

    Args:
        blocks: all blocks of the site.
        plan: file that `codeout plan --json` wrote.
        number: the shard, from 1.

    Raises:
        PageError: the plan cannot be read, has no such shard, or contains a session that no page has.
    """
    try:
        content = json.loads(plan.read_text(encoding="utf8"))
    except (OSError, ValueError) as problem:
        raise PageError(f"{plan}:1: can't be read: {problem}") from problem
    by_name = _sessions_by_name(blocks)
    names = shards.read(content, number, str(plan))
    for name in names:
        if name not in by_name:
            raise PageError(f"{plan}:1: no page has the session {name!r}{suggest(name, by_name)}")
    return [block for name in names for block in by_name[name]]


def plan_shards(engine: Engine, blocks: Sequence[Block], machines: int, gpu_machines: int) -> list[shards.Shard]:
    """Split the stale sessions of these blocks across machines.

    Args:
        engine: the site's.
        blocks: of the pages to plan for.
        machines: how many there are without a GPU.
        gpu_machines: how many there are with one.

    Raises:
        PageError: data is missing, or the script that prepares it failed.
    """
    stale = [look.name for look in engine.look(blocks) if look.runs is None]
    gpu = sorted(_sessions_by_name(gpu_blocks(blocks, engine.config)))
    return shards.plan(stale, gpu, engine.store.times(), machines, gpu_machines)


def expected_blocks(engine: Engine, blocks: Sequence[Block]) -> dict[str, Known]:
    """Return the blocks of which a recording may be accepted, by the code half of their keys.

    Args:
        engine: the site's.
        blocks: all blocks of the site; those that do not use a GPU are left out.

    Raises:
        PageError: data is missing, or the script that prepares it failed.
    """
    return {
        recipe.key.code: Known(block, block_name(look.session, number), recipe, sources)
        for look in engine.look(gpu_blocks(blocks, engine.config))
        for sources in [environment.sources(look.session, engine.config)]
        for number, (block, recipe) in enumerate(zip(look.session, look.recipes, strict=True), start=1)
    }


def newest_runs(folder: Path) -> dict[str, Run]:
    """Return the newest run of each block in a build cache or a folder of recordings, by the name of the block.

    Raises:
        PageError: the folder does not exist.
    """
    if not folder.is_dir():
        raise PageError(f"{folder}:1: no such folder")
    store = RunStore(folder)
    return {name: run for name, (key, _) in store.newest().items() if (run := store.get(key))}


def _sessions_by_name(blocks: Sequence[Block]) -> dict[str, Sequence[Block]]:
    return {session_name(session): session for page in by_page(blocks) for session in sessions(page)}
