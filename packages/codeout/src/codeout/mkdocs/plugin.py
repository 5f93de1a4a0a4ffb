"""Door 2: MkDocs events. Tells the engine which page is being converted, and has the whole site run ahead.

What a reader sees does not depend on it: with the extension alone the site is the same, only slower to build.
"""

from __future__ import annotations

import dataclasses
import gc
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from markdown import Markdown
from mkdocs.config.base import Config as PluginConfig
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import BasePlugin, event_priority
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.utils import DuplicateFilter
from mkdocs.utils.meta import get_data

from codeout.cache.store import MEMO
from codeout.config import Config
from codeout.errors import CodeoutError
from codeout.markdown.extension import NAME
from codeout.markdown.finder import LANGUAGES, Finder
from codeout.markdown.layouts import LayoutCache
from codeout.markdown.page import Site, Where
from codeout.mkdocs.page_extras import PageExtras
from codeout.model.blocks import Block
from codeout.run.engine import Engine

if TYPE_CHECKING:
    from jinja2 import Environment
    from mkdocs.livereload import LiveReloadServer


class Settings(PluginConfig):
    """None here: the options stand with the extension, where every generator reads them."""


class CodeoutPlugin(BasePlugin[Settings]):
    """Plans the site before its first page is converted."""

    def __init__(self) -> None:
        """Start as for `mkdocs build`."""
        super().__init__()
        self._serving = False
        self._site: Site | None = None
        self._finder = Finder()
        self._pages: list[Page] = []

    def on_startup(self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
        """Remember whether somebody is watching: then an error shows in its place, and the server stays up."""
        self._serving = command == "serve"

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        """Set the engine up from the options of the extension; while serving, keep it as long as they are the same."""
        if NAME not in config.markdown_extensions:
            raise PluginError("mkdocs.yml:1: the codeout plugin needs `- codeout` under `markdown_extensions`, too")
        options = {k: v for k, v in (config.mdx_configs.get(NAME) or {}).items() if k != "site"}
        root = Path(config.config_file_path).parent.resolve() if config.config_file_path else Path.cwd()
        try:
            settings = Config.from_options({"root": root, **options})
        except CodeoutError as problem:
            raise PluginError(str(problem)) from problem
        settings = dataclasses.replace(
            settings,
            docs_dir=Path(os.path.relpath(config.docs_dir, root)).as_posix(),
            errors="show" if self._serving else settings.errors,
            checkpoints=self._serving or settings.checkpoints,
        )
        if self._site is None or self._site.engine.config != settings:
            self.on_shutdown()
            engine = Engine(settings)
            self._site = Site(engine, fault=PluginError)
            if self._serving:
                from codeout.run.live import LiveSessions  # here, as below, so that a build is quick

                self._site.behind = LiveSessions(engine)
        for each in logging.getLogger("mkdocs.commands.build").filters if self._serving else ():
            if isinstance(each, DuplicateFilter):  # else the same mistake, made again, is told by no word
                each.msgs.clear()
        self._site.engine.prepare()  # while MkDocs gets ready
        extensions = (config.markdown_extensions, {**config.mdx_configs, NAME: options})
        self._site.layouts = LayoutCache.load(settings.path(settings.cache) / MEMO / "layouts.json", extensions)
        config.mdx_configs[NAME] = {**options, "site": self._site}
        return config

    def on_shutdown(self) -> None:
        """End what runs, and what is kept to go on from."""
        if self._site is not None:
            (self._site.behind or self._site.engine).close()

    def on_env(self, env: Environment, *, config: MkDocsConfig, files: Files) -> None:
        """Note the pages of the site, now that all have titles."""
        self._pages = [file.page for file in files.documentation_pages() if file.page]

    def on_nav(self, nav: Navigation, *, config: MkDocsConfig, files: Files) -> Navigation:
        """Run all blocks of the site that are not in the store, sessions side by side.

        Only if no other plugin may change the text of pages: what they will hand over is not known yet.
        """
        others = [method for method in config.plugins.events["page_markdown"] if method != self.on_page_markdown]
        pages = [] if others else files.documentation_pages()
        self._finder = _finder(config, self._ready().engine.config.root)
        self._ready().shows, self._ready().named = {}, {}  # of the pages as they were
        with _told():
            found: list[tuple[Where, list[Block]]] = []
            for file in pages:
                text, _ = get_data(file.content_string)
                offset = file.content_string.count("\n") - text.count("\n")
                page = self._path(file.src_uri)
                found.append(((page, offset, text), self._finder.find(text, page, offset)))
            every = [block for _, blocks in found for block in blocks]
            if not others:
                self._ready().engine.config.check_patterns(block.session for block in every)
            if (behind := self._ready().behind) and not others:
                behind.keep(every)
            seen = iter(self._ready().look(every))
            self._ready().known = {where: (blocks, list(islice(seen, len(blocks)))) for where, blocks in found}
        if not self._serving:
            gc.freeze()  # what is there now stays to the end of a build; a collection would only go through all of it
        return nav

    @event_priority(-100)  # last: after plugins that change the text
    def on_page_markdown(self, markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
        """Tell the extension which page comes next, and how many lines its front matter takes."""
        site = self._ready()
        site.page = self._path(page.file.src_uri)
        site.offset = max(page.file.content_string.count("\n") - markdown.count("\n"), 0)
        with _told():
            site.known[site.page, site.offset, markdown] = site.plan(markdown, self._finder)
        return markdown

    def on_serve(self, server: LiveReloadServer, *, config: MkDocsConfig, builder: Any) -> LiveReloadServer:
        """Watch what the pages are made of, and tell open pages what has run."""
        from codeout.mkdocs.events import EventStream

        server.set_app(EventStream(self._ready).wrapped(server.get_app()))
        settings = self._ready().engine.config
        for path in {*settings.paths, settings.prelude} - {""}:
            server.watch(str(settings.path(path)))
        return server

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        """Keep the layouts for the next build."""
        if layouts := self._ready().layouts:
            layouts.save()

    def on_post_page(self, output: str, *, page: Page, config: MkDocsConfig) -> str:
        """Add what tells how the outputs were made, and what to take away; while serving, have the page listen."""
        output = PageExtras(self._ready(), config, self._pages, building=not self._serving).added(output, page)
        if not self._serving:
            return output
        from codeout.mkdocs.events import SCRIPT, STYLE

        head, body, rest = output.rpartition("</body>")
        return f"{head}{STYLE}{SCRIPT}{body}{rest}" if body else output

    def _path(self, src_uri: str) -> str:
        return f"{self._ready().engine.config.docs_dir}/{src_uri}"

    def _ready(self) -> Site:
        if self._site is None:
            raise AssertionError("MkDocs calls on_config before every other event")
        return self._site


@contextmanager
def _told() -> Iterator[None]:
    """Have MkDocs print what the engine says as a message, not as a crash of ours."""
    try:
        yield
    except CodeoutError as problem:
        raise PluginError(str(problem)) from problem


def _finder(config: MkDocsConfig, root: Path) -> Finder:
    """Return what finds the blocks of a site's pages as the site's own conversion will."""
    fences = (config.mdx_configs.get("pymdownx.superfences") or {}).get("custom_fences", [])
    known = [fence.get("name") for fence in fences]
    return Finder(_snippets(config), root.resolve(), tuple(name for name in LANGUAGES if name in known))


def _snippets(config: MkDocsConfig) -> Any:
    """Return the site's own preprocessor of snippets; None if it has none."""
    name = "pymdownx.snippets"
    if name not in config.markdown_extensions:
        return None
    md = Markdown(extensions=[name], extension_configs={name: config.mdx_configs.get(name) or {}})
    return md.preprocessors["snippet"]
