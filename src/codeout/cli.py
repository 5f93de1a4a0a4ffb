"""Door 3: the command line. Reads `mkdocs.yml` itself, so that a machine without a site generator can run blocks.

codeout run                    run what is stale, on all pages
codeout run docs/autograd.md   ... on one page
codeout status                 every block: hit or stale, seconds, device
codeout clean                  remove from the store what no page needs any more
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from markdown import Markdown

from codeout import environment
from codeout.blocks import Block, Finder, block_name, sessions
from codeout.config import Config
from codeout.errors import CodeoutError, PageError
from codeout.keys import Recipe, causes
from codeout.progress import log
from codeout.run import Engine


class _Loader(yaml.SafeLoader):
    """Reads `mkdocs.yml` past the tags that only MkDocs understands (`!ENV`, `!!python/name`)."""


_Loader.add_multi_constructor("", lambda loader, suffix, node: None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0, or 1 if a block or a page is at fault."""
    parser = argparse.ArgumentParser("codeout", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("-f", "--config-file", type=Path, default=Path("mkdocs.yml"), help="default: mkdocs.yml")
    commands = parser.add_subparsers(dest="command", required=True)
    words = {"run": "run what is stale", "status": "say what is stale", "why": "say why", "clean": "remove old runs"}
    for name, said in words.items():
        command = commands.add_parser(name, help=said)
        if name != "clean":
            command.add_argument("pages", nargs="*", type=Path, help="Markdown files; default: all of the site")
        if name == "status":
            command.add_argument("--json", action="store_true", help="for scripts")
    asked = parser.parse_args(arguments)
    try:
        site = _Site(asked.config_file)
        if asked.command == "run":
            return _run(site, asked.pages)
        if asked.command == "why":
            return _why(site, asked.pages)
        return _status(site, asked.pages, asked.json) if asked.command == "status" else _clean(site)
    except CodeoutError as problem:
        print(problem, file=sys.stderr)
        return 1


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


def _run(site: _Site, pages: Sequence[Path]) -> int:
    _log_to_terminal()
    runs = Engine(site.config).run(site.blocks(pages))
    print(f"{len(runs)} blocks are up to date")
    return 0


def _status(site: _Site, pages: Sequence[Path], as_json: bool) -> int:
    engine = Engine(site.config)
    rows = []
    for block, recipe, _ in _recipes(site, pages):
        run = engine.stored(block, recipe.key)
        told = {} if run is None else {"device": run.provenance.device, "seconds": round(run.provenance.seconds, 3)}
        rows.append({"block": str(block), "session": block.session, "state": "hit" if run else "stale", **told})
    if as_json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        ran = f"{row['seconds']:8.3f} s  {row['device']}" if "seconds" in row else ""
        print(f"{row['state']:5}  {row['block']}  {ran}")
    print(f"{sum(row['state'] == 'stale' for row in rows)} of {len(rows)} blocks are stale")
    return 0


def _clean(site: _Site) -> int:
    needed = {recipe.key.code for _, recipe, _ in _recipes(site, [])}
    removed, kept = Engine(site.config).store.clean(needed)
    print(f"removed {removed} runs, kept {kept}")
    return 0


def _why(site: _Site, pages: Sequence[Path]) -> int:
    engine = Engine(site.config)
    known = engine.store.newest()
    for block, recipe, name in _recipes(site, pages):
        if engine.stored(block, recipe.key) is not None:
            said = "hit"
        elif name not in known:
            said = "has not run yet"
        else:
            said = "; ".join(causes(known[name][1], recipe)) or "a module that it loads changed, or its lines moved"
        print(f"{block}: {said}")
    return 0


def _recipes(site: _Site, pages: Sequence[Path]) -> Iterator[tuple[Block, Recipe, str]]:
    """Yield each block with what it is made from now, and its name in the store."""
    blocks = site.blocks(pages)
    for page in dict.fromkeys(block.place.path for block in blocks):
        for session in sessions([block for block in blocks if block.place.path == page]):
            found = environment.session_recipes(session, site.config)
            for number, (block, recipe) in enumerate(zip(session, found, strict=True), start=1):
                yield block, recipe, block_name(session, number)


def _log_to_terminal() -> None:
    import logging

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
