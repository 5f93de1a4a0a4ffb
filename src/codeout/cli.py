"""Door 3: the command line. Reads `mkdocs.yml` itself, so that a machine without a site generator can run blocks."""

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

import yaml
from markdown import Markdown

from codeout import environment, prose
from codeout.blocks import Block, Finder, block_name, by_page, session_name, sessions
from codeout.compare import TOLERANCE, compare, report
from codeout.config import Config
from codeout.errors import CodeoutError, PageError
from codeout.export import page_of
from codeout.keys import Recipe, causes
from codeout.notebook import checked, notebook, script
from codeout.outputs import Run
from codeout.progress import log
from codeout.run import Engine
from codeout.store import MEMO, Store
from codeout.watch import watch

EXAMPLES = """examples:
  codeout run                         run what is stale, on all pages
  codeout run docs/autograd.md        ... on one page
  codeout watch docs/autograd.md      run what an edit makes stale, at each save, and print it
  codeout status --json               every block: hit or stale, seconds, device, size
  codeout why                         every block: hit, or what has changed since it ran
  codeout numbers                     numbers typed in prose that no block near them has
  codeout diff old/.codeout .codeout  what differs between two stores by more than noise, as Markdown
  codeout export --to py -o scripts   each page as a script; with --to ipynb as a notebook with its outputs
  codeout clean                       remove from the store what no page needs any more
"""


class _Loader(yaml.SafeLoader):
    """Reads `mkdocs.yml` past the tags that only MkDocs understands (`!ENV`, `!!python/name`)."""


_Loader.add_multi_constructor("", lambda loader, suffix, node: None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0, or 1 if a block or a page is at fault."""
    asked = _parser().parse_args(arguments)
    commands = {
        "run": _run,
        "watch": _watch,
        "status": _status,
        "why": _why,
        "numbers": _numbers,
        "export": _export,
        "clean": _clean,
    }
    try:
        if asked.command == "diff":  # it needs no site
            return _diff(asked)
        return commands[asked.command](_Site(asked.config_file), asked)
    except CodeoutError as problem:
        print(problem, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    about = "The code blocks of a MkDocs site, run, with outputs that cannot go stale."
    parser = argparse.ArgumentParser("codeout", description=about, epilog=EXAMPLES, formatter_class=raw)
    parser.add_argument("-f", "--config-file", type=Path, default=Path("mkdocs.yml"), help="default: mkdocs.yml")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, words: str, *, pages: bool = True, as_json: bool = False) -> argparse.ArgumentParser:
        examples = "".join(f"{line}\n" for line in EXAMPLES.splitlines() if f"codeout {name}" in line)
        added = commands.add_parser(
            name, help=words, description=words, epilog=f"examples:\n{examples}", formatter_class=raw
        )
        if pages:
            added.add_argument("pages", nargs="*", type=Path, help="Markdown files; default: all of the site")
        if as_json:
            added.add_argument("--json", action="store_true", help="for scripts")
        return added

    command("run", "Run what is stale.")
    command("watch", "Run what an edit makes stale, at each save, and print what came out.")
    command("status", "Say of every block whether it is stale.", as_json=True)
    command("why", "Say of every block why it is stale.", as_json=True)
    command("numbers", "List numbers typed in prose that no block near them has.", as_json=True)
    diff = command("diff", "Say what differs between two stores; 1 if anything does.", pages=False, as_json=True)
    diff.add_argument("old", type=Path, help="a folder of runs: a store, or recordings")
    diff.add_argument("new", type=Path, help="likewise")
    diff.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help="how far numbers may move (default: %(default)g)"
    )
    export = command("export", "Write pages as notebooks with their outputs, or as scripts.")
    export.add_argument("--to", choices=("ipynb", "py"), default="ipynb", help="default: ipynb")
    export.add_argument("-o", "--output", type=Path, default=Path("notebooks"), help="a folder (default: notebooks)")
    command("clean", "Remove from the store what no page needs any more.", pages=False)
    return parser


class _Site:
    """A site as its `mkdocs.yml` describes it: settings, pages, and how snippets are put in."""

    def __init__(self, path: Path) -> None:
        try:
            content = yaml.load(path.read_text(encoding="utf8"), _Loader)  # noqa: S506 (a SafeLoader)
        except (OSError, yaml.YAMLError) as problem:
            raise PageError(f"{path}:1: can't be read: {problem}") from problem
        extensions = dict(_named(content.get("markdown_extensions") or []))
        if "codeout" not in extensions:
            raise PageError(f"{path}:1: has no `- codeout` under `markdown_extensions`")
        docs = str(content.get("docs_dir") or "docs")
        self.config = Config.of({"root": path.parent.resolve(), "docs_dir": docs, **extensions["codeout"]})
        name = "pymdownx.snippets"
        md = Markdown(extensions=[name], extension_configs={name: extensions.get(name, {})})
        snippets = md.preprocessors["snippet"] if name in extensions else None
        self._finder = Finder(snippets, self.config.root)
        self.url = str(content.get("site_url") or "")

    def blocks(self, pages: Sequence[Path]) -> list[Block]:
        """Return the blocks of these pages, or of all."""
        folder = self.config.path(self.config.docs_dir)
        found: list[Block] = []
        for page in pages or sorted(folder.rglob("*.md")):
            path = page if page.is_absolute() else Path.cwd() / page
            if not path.is_file():
                raise PageError(f"{page}:1: is not there")
            root = self.config.root
            shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
            found += self._finder.find(path.read_text(encoding="utf8"), shown)
        return found


def _named(extensions: Sequence[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for extension in extensions:
        if isinstance(extension, str):
            yield extension, {}
        else:
            yield from ((str(name), options or {}) for name, options in extension.items())


def _run(site: _Site, asked: argparse.Namespace) -> int:
    _log_to_terminal()
    runs = Engine(site.config).run(site.blocks(asked.pages))
    print(f"{len(runs)} blocks are up to date")
    return 0


def _watch(site: _Site, asked: argparse.Namespace) -> int:
    _log_to_terminal()
    engine = Engine(dataclasses.replace(site.config, snapshots=True, errors="show"))
    with contextlib.suppress(KeyboardInterrupt), contextlib.closing(engine):
        watch(lambda: site.blocks(asked.pages), engine, lambda message: print(message, flush=True))
    return 0


def _status(site: _Site, asked: argparse.Namespace) -> int:
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


def _resumes(site: _Site, engine: Engine, pages: Sequence[Path]) -> Iterator[tuple[str, str]]:
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


def _why(site: _Site, asked: argparse.Namespace) -> int:
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


def _numbers(site: _Site, asked: argparse.Namespace) -> int:
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


def _export(site: _Site, asked: argparse.Namespace) -> int:
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


def _diff(asked: argparse.Namespace) -> int:
    for folder in (asked.old, asked.new):
        if not folder.is_dir():
            raise PageError(f"{folder}:1: there is no such folder")
    old, new = (_newest(Store(folder)) for folder in (asked.old, asked.new))
    differences = compare(old, new, asked.tolerance)
    if asked.json:
        print(json.dumps([dataclasses.asdict(difference) for difference in differences], indent=1))
    else:
        print(report(differences, old, new), end="")
    return int(any(difference.kind != "added" for difference in differences))


def _newest(store: Store) -> dict[str, Run]:
    return {name: run for name, (key, _) in store.newest().items() if (run := store.get(key))}


def _clean(site: _Site, asked: argparse.Namespace) -> int:
    needed = {recipe.key.code for _, recipe, _ in _recipes(site, [])}
    store = Engine(site.config).store
    removed, kept = store.clean(needed)
    shutil.rmtree(store.root / MEMO / "exports", ignore_errors=True)  # made again by the next build
    print(f"removed {removed} runs, kept {kept}")
    return 0


def _recipes(site: _Site, pages: Sequence[Path]) -> Iterator[tuple[Block, Recipe, str]]:
    """Yield each block with what it is made from now, and its name in the store."""
    for session in (session for page in by_page(site.blocks(pages)) for session in sessions(page)):
        found = environment.session_recipes(session, site.config)
        for number, (block, recipe) in enumerate(zip(session, found, strict=True), start=1):
            yield block, recipe, block_name(session, number)


def _log_to_terminal() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
