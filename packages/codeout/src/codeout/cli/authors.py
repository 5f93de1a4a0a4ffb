"""What the author's commands do: a site and what was asked in, an exit code out."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import logging
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from codeout.cache import environment
from codeout.cache.keys import KeyInputs, causes
from codeout.cache.store import MEMO
from codeout.cli.maintainers import of_shard, on_gpu
from codeout.cli.site import SiteConfig
from codeout.errors import CodeoutError
from codeout.model import prose
from codeout.model.blocks import Block, block_name, by_page, session_name, sessions
from codeout.render.export import page_of
from codeout.render.notebook import checked, notebook, script
from codeout.run import watch as watching
from codeout.run.engine import Engine
from codeout.run.progress import log


def run(site: SiteConfig, asked: argparse.Namespace) -> int:
    """Run what is stale."""
    _log_to_terminal()
    blocks = site.blocks(asked.pages)
    if (asked.plan is None) != (asked.shard is None):
        raise CodeoutError("codeout run: --plan and --shard belong together: the plan, and which share of it")
    if asked.plan:
        blocks = of_shard(blocks, asked.plan, asked.shard)
    if asked.gpu:
        blocks = on_gpu(site, blocks)
    runs = Engine(site.config).run(blocks)
    print(f"{len(runs)} blocks are up to date")
    return 0


def watch(site: SiteConfig, asked: argparse.Namespace) -> int:
    """Run what an edit makes stale, at each save, and print it."""
    _log_to_terminal()
    engine = Engine(dataclasses.replace(site.config, checkpoints=True, errors="show"))
    with contextlib.suppress(KeyboardInterrupt), contextlib.closing(engine):
        watching.watch(lambda: site.blocks(asked.pages), engine, lambda message: print(message, flush=True))
    return 0


def status(site: SiteConfig, asked: argparse.Namespace) -> int:
    """Say of every block whether it is stale, and how an edit goes on."""
    engine = Engine(site.config)
    rows = []
    for block, recipe, _ in _recipes(site, asked.pages):
        run, size = engine.stored(block, recipe.key), engine.store.size(recipe.key)
        row: dict[str, Any] = {"block": str(block), "session": block.session, "state": "hit" if run else "stale"}
        if run:
            row |= {"device": run.provenance.device, "seconds": round(run.provenance.seconds, 3), "bytes": size}
        rows.append(row)
    resumes = dict(_resumes(site, engine, asked.pages))
    if asked.json:
        print(json.dumps({"blocks": rows, "resumes": resumes}, indent=1))
        return 0
    for row in rows:
        ran = (
            f"{row['seconds']:8.3f} s  {row['bytes'] / 1000:8.1f} kB  {row['device']}" if row["state"] == "hit" else ""
        )
        print(f"{row['state']:5}  {row['block']}  {ran}".rstrip())
    print(f"{sum(row['state'] == 'stale' for row in rows)} of {len(rows)} blocks are stale\n")
    for name, words in resumes.items():
        print(f"{name}: {words}")
    return 0


def _resumes(site: SiteConfig, engine: Engine, pages: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield for each session what an edit of one of its blocks does, while somebody serves or watches."""
    times = engine.store.times()
    for session in (session for page in by_page(site.blocks(pages)) for session in sessions(page)):
        told = times.get(session_name(session))
        if told is None:
            words = "not known yet; it has not run here"
        elif told.forks >= len(session) - 1:
            words = "fork: an edit goes on from a copy of the process after the block above it"
        elif sys.platform != "linux":
            words = "replay: an edit runs the session again, since a process can be copied on Linux alone"
        else:
            words = (
                f"replay: after block {told.forks + 1} the process has threads; a later edit runs again what is above"
            )
        yield session_name(session), words


def why(site: SiteConfig, asked: argparse.Namespace) -> int:
    """Say of every block why it is stale."""
    engine = Engine(site.config)
    known = engine.store.newest()
    rows = []
    for block, recipe, name in _recipes(site, asked.pages):
        if engine.stored(block, recipe.key) is not None:
            said = ["hit"]
        elif name not in known:
            said = ["has not run yet"]
        else:
            said = causes(known[name][1], recipe) or ["a module that it loads changed, or its lines moved"]
        rows.append({"block": str(block), "why": said})
    if asked.json:
        print(json.dumps(rows, indent=1))
    else:
        print("\n".join(f"{row['block']}: {'; '.join(row['why'])}" for row in rows))
    return 0


def numbers(site: SiteConfig, asked: argparse.Namespace) -> int:
    """List numbers typed in prose that no block near them has."""
    engine = Engine(site.config)
    found: list[prose.Typed] = []
    for page in by_page(site.blocks(asked.pages)):
        path = page[0].place.path
        found += prose.typed(site.config.path(path).read_text(encoding="utf8"), path, page, engine.run(page))
    if asked.json:
        print(json.dumps([dataclasses.asdict(number) for number in found], indent=1))
    else:
        print("\n".join(f"{number.place}: {number.number}: {number.line}" for number in found))
    return 0


def export(site: SiteConfig, asked: argparse.Namespace) -> int:
    """Write pages as notebooks, or as scripts."""
    engine = Engine(site.config)
    write = {"ipynb": lambda page: checked(notebook(page)), "py": script}[asked.to]
    for blocks in by_page(site.blocks(asked.pages)):
        path = Path(blocks[0].place.path)
        inside = (
            path.relative_to(site.config.docs_dir) if path.is_relative_to(site.config.docs_dir) else Path(path.name)
        )
        target = asked.output / inside.with_suffix(f".{asked.to}")
        page = page_of(blocks, engine.run(blocks), site.config, site.url)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(write(page), encoding="utf8")
        print(target)
        for name, source in page.modules.items() if asked.to == "py" else ():
            (target.parent / f"{name}.py").write_text(source, encoding="utf8")
    return 0


def clean(site: SiteConfig, asked: argparse.Namespace) -> int:
    """Remove from the store what no page needs any more."""
    needed = {recipe.key.code for _, recipe, _ in _recipes(site, [])}
    store = Engine(site.config).store
    removed, kept = store.clean(needed)
    shutil.rmtree(store.root / MEMO / "exports", ignore_errors=True)  # made again by the next build
    print(f"removed {removed} runs, kept {kept}")
    return 0


def _recipes(site: SiteConfig, pages: Sequence[Path]) -> Iterator[tuple[Block, KeyInputs, str]]:
    """Yield each block with what it is made from now, and its name in the store."""
    for session in (session for page in by_page(site.blocks(pages)) for session in sessions(page)):
        found = environment.session_inputs(session, site.config)
        for number, (block, recipe) in enumerate(zip(session, found, strict=True), start=1):
            yield block, recipe, block_name(session, number)


def _log_to_terminal() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
