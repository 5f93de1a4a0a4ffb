"""What the maintainer's commands do: compare, accept recordings, say whether a site is ready, share work out."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from codeout.cache import environment
from codeout.cache.store import RunStore
from codeout.cli.site import SiteConfig
from codeout.compare.runs import compare, report
from codeout.errors import PageError
from codeout.model.blocks import Block, block_name, by_page, session_name, sessions
from codeout.model.outputs import Run
from codeout.publish import accept as accepting
from codeout.publish import compat as trials
from codeout.publish import drift, readiness, shards
from codeout.run.engine import Engine


def diff(_: None, asked: argparse.Namespace) -> int:
    """Say what differs between two stores. It needs no site."""
    old, new = (_newest(folder) for folder in (asked.old, asked.new))
    differences = compare(old, new, asked.tolerance)
    if asked.html:
        asked.html.write_text(drift.page(differences, old, new), encoding="utf8")
    if asked.json:
        print(json.dumps([dataclasses.asdict(difference) for difference in differences], indent=1))
    else:
        print(report(differences, old, new), end="")
    return int(any(difference.kind != "added" for difference in differences))


def _newest(folder: Path) -> dict[str, Run]:
    """Return the newest run of each block in a store, by name.

    Raises:
        PageError: there is no such folder.
    """
    if not folder.is_dir():
        raise PageError(f"{folder}:1: there is no such folder")
    store = RunStore(folder)
    return {name: run for name, (key, _) in store.newest().items() if (run := store.get(key))}


def ready(site: SiteConfig, asked: argparse.Namespace) -> int:
    """Say what keeps the site from being published."""
    engine = Engine(site.config)
    looks = engine.look(site.blocks([]))
    recorded = readiness.newest(list(engine.recordings.store.entries()))
    found = readiness.problems(looks, recorded, site.config, datetime.now(UTC))
    blocks = sum(len(look.session) for look in looks)
    print("\n".join(found) or f"{blocks} blocks have run as they are now, {len(recorded)} recordings; ready to publish")
    return int(bool(found))


def accept(site: SiteConfig, asked: argparse.Namespace) -> int:
    """Take runs that another machine has made as recordings; all of them, or none."""
    if not asked.folder.is_dir():
        raise PageError(f"{asked.folder}:1: there is no such folder")
    engine = Engine(site.config)
    known = {
        recipe.key.code: accepting.Known(block, block_name(look.session, number), recipe, sources)
        for look in engine.look(on_gpu(site, site.blocks([])))
        for sources in [environment.sources(look.session, site.config)]
        for number, (block, recipe) in enumerate(zip(look.session, look.recipes, strict=True), start=1)
    }
    check = accepting.Check(known, environment.device(), site.config.packages, engine.whole)
    accepted, refused = check.accept(asked.folder)
    if refused:
        raise PageError("\n".join(refused))
    accepting.keep(accepted, engine.recordings.store)
    for each in accepted:
        without = f", without its {', '.join(each.without)}" if each.without else ""
        print(f"{each.entry.name}: {each.run.provenance.device}{without}")
    why = "" if accepted else f": none in {asked.folder} is of another device than {environment.device()}"
    print(f"{len(accepted)} runs are recordings now, in {site.config.recordings}{why}")
    return 0


def on_gpu(site: SiteConfig, blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks of the sessions that use a GPU, by the settings; all, if they name none."""
    patterns = site.config.gpu or ("*",)
    return [block for block in blocks if block.matches(patterns)]


def plan(site: SiteConfig, asked: argparse.Namespace) -> int:
    """Share the stale sessions out."""
    engine = Engine(site.config)
    stale = [look for look in engine.look(site.blocks(asked.pages)) if look.runs is None]
    gpu = {session_name(session) for session in _sessions(on_gpu(site, site.blocks(asked.pages)))}
    shares = shards.plan([look.name for look in stale], sorted(gpu), engine.store.times(), asked.shards, asked.gpus)
    if asked.json:
        print(json.dumps({"shards": [dataclasses.asdict(share) for share in shares]}))
        return 0
    for number, share in enumerate(shares, start=1):
        print(f"shard {number}, {share.device}, about {share.seconds:.0f} s: {', '.join(share.sessions) or 'nothing'}")
    return 0


def of_shard(blocks: Sequence[Block], path: Path, number: int) -> list[Block]:
    """Return the blocks of one share of a plan.

    Raises:
        PageError: the plan can't be read, or names a session that no page has.
    """
    try:
        content = json.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError) as problem:
        raise PageError(f"{path}:1: can't be read: {problem}") from problem
    known = {session_name(session): session for session in _sessions(blocks)}
    names = shards.read(content, number, str(path))
    if strangers := sorted({*names} - known.keys()):
        raise PageError(f"{path}:1: names {strangers[0]!r}, which no page has")
    return [block for name in names for block in known[name]]


def _sessions(blocks: Sequence[Block]) -> list[tuple[Block, ...]]:
    return [session for page in by_page(blocks) for session in sessions(page)]


def tried(site: SiteConfig, asked: argparse.Namespace) -> int:
    """Run all pages with what is installed, and write down which ran and what has drifted."""
    published = _newest(asked.against) if asked.against else {}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    trial = trials.tried(Engine(site.config), site.blocks([]), published, date)
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_text(trials.to_json(trial), encoding="utf8")
    for page in trial.pages:
        print(f"{page.page}: {page.error or f'runs; {len(page.drifted)} of {page.blocks} outputs differ'}")
    return int(any(page.error for page in trial.pages))
