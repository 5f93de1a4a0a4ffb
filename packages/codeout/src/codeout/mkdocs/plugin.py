"""Entry point: the MkDocs plugin. It announces each page to the extension, and adds what concerns the whole site.

What a reader sees of a block does not depend on it: with the extension alone the site is the same, only slower to
build.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mkdocs.config.base import Config as PluginConfig
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import BasePlugin, CombinedEvent, event_priority
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.utils import DuplicateFilter

from codeout.cache.build_record import BuildRecord, RecordedPage, write_record
from codeout.cache.layouts import LayoutCache
from codeout.cache.lookup import Lookup
from codeout.cache.store import RunStore
from codeout.config import Config
from codeout.errors import CodeoutError, PageError, log
from codeout.markdown.extension import NAME
from codeout.markdown.fences import stamp, strip_stamps
from codeout.markdown.page_blocks import ConvertedPage
from codeout.markdown.predictor import Predictor
from codeout.markdown.site import (
    BuildResolver,
    CacheResolver,
    CurrentPage,
    Host,
    LiveParts,
    LiveResolver,
    Resolver,
    Site,
)
from codeout.mkdocs.page_extras import PageExtras
from codeout.mkdocs.serving import WatchedFolders
from codeout.mkdocs.settings import PagePaths, read_settings
from codeout.model.blocks import Session, group_sessions
from codeout.model.outputs import Run
from codeout.render.pictures import Pictures, ServedPictures
from codeout.run.engine import UP_TO_DATE, Engine

if TYPE_CHECKING:
    from jinja2 import Environment
    from markdown import Markdown
    from mkdocs.livereload import LiveReloadServer

    from codeout.mkdocs.serving import News

Mode = Literal["build", "serve", "collect"]


class Settings(PluginConfig):
    """None: the options are those of the extension, where every generator reads them."""


class CodeoutPlugin(BasePlugin[Settings]):
    """Prepares the site for the extension, and completes its pages."""

    def __init__(self) -> None:
        """Start as for `mkdocs build`."""
        super().__init__()
        self.mode: Mode = "build"
        self.pages: dict[str, ConvertedPage] = {}
        self._site: Site | None = None
        self._paths: PagePaths | None = None
        self._files: dict[str, Any] = {}
        self._destinations: set[str] = set()
        self._url = self._site_dir = ""
        self._options: dict[str, Any] = {}
        self._problems: list[str] = []
        self._is_partial = False  # whether pages are left out: those that a dirty build skips, or have a mistake
        self._is_dirty = False
        self._news: News | None = None
        self._shown = 0  # how many changes the pages of this build show at least
        self._watched = WatchedFolders()

    # ------------------------------------------------------------------------------------------------ before pages

    def on_startup(self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
        """Note whether a server runs: then an error shows on its page, and the server goes on."""
        self._is_dirty = dirty
        if self.mode != "collect":
            self.mode = "serve" if command == "serve" else "build"

    @event_priority(100)  # first: other plugins may replace the folder of pages
    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        """Set up the site from the options of the extension; a server keeps it as long as they are the same."""
        source = Path(config.config_file_path or "mkdocs.yml").name
        options = {key: value for key, value in (config.mdx_configs.get(NAME) or {}).items() if key != "site"}
        settings = read_settings(config, options, source, serves=self.mode == "serve")
        self._options = options
        if self._site is None or self._site.config != settings:
            self.on_shutdown()
            self._site = self._new_site(settings)
        self._forget_logged_messages()
        self._paths = PagePaths(config, settings.root)
        config.mdx_configs[NAME] = {**options, "site": self._site}
        return config

    def _new_site(self, settings: Config) -> Site:
        resolver: Resolver
        if self.mode == "serve":
            # On use, so that a build starts quickly.
            from codeout.mkdocs.serving import News
            from codeout.run.live import LiveSessions

            self._news = self._news or News(lambda: self._ready)

            live = LiveSessions(settings, self._publish_change, self._watch_inputs)
            live.engine.preparation.start()  # while MkDocs gets ready
            resolver = LiveResolver(live)
        elif self.mode == "collect":
            resolver = CacheResolver(Lookup(settings))
        else:
            engine = Engine(settings)
            engine.preparation.start()
            resolver = BuildResolver(engine, self.predict)
        return Site(config=settings, resolver=resolver, host=_PluginHost(self))

    def _watch_inputs(self, runs: Sequence[Run]) -> None:
        """Have the server watch what runs have read."""
        if isinstance(self._ready.resolver, LiveResolver):
            self._watched.add(self._ready.resolver.live.engine.lookup.inputs, runs)

    def _forget_logged_messages(self) -> None:
        """Have a server log the same mistake again, when it is made again."""
        for each in logging.getLogger("mkdocs.commands.build").filters if self.mode == "serve" else ():
            if isinstance(each, DuplicateFilter):
                each.msgs.clear()

    @event_priority(-100)  # last: a blog hides its posts until then
    def on_nav(self, nav: Navigation, *, config: MkDocsConfig, files: Files) -> Navigation:
        """Note the pages of the site, and that none is converted yet."""
        self.pages, self._problems, self._is_partial = {}, [], self._is_dirty
        self._ready.live = LiveParts()
        self._shown = self._news.version if self._news else 0
        extensions = (config.markdown_extensions, {**config.mdx_configs, NAME: self._options})
        self._ready.layouts = LayoutCache.load(self._ready.config.memo / "layouts.json", extensions)
        self._files = {self.path_of(file): file for file in files.documentation_pages()}
        self._destinations = {file.dest_uri for file in files}
        self._url = config.site_url or ""
        self._site_dir = config.site_dir if self.mode == "build" else ""
        if self.mode == "build":
            gc.freeze()  # what is there now stays to the end; a collection would only go through all of it
        return nav

    def predict(self, md: Markdown) -> list[Session]:
        """Return the sessions that the pages that are still to be converted will probably have."""
        predictor = Predictor(md, self._ready.config)
        later = [(path, file) for path, file in self._files.items() if path not in self.pages]
        blocks = [block for path, file in later for block in predictor.predict(path, file.content_string)]
        return group_sessions(blocks)

    # ------------------------------------------------------------------------------------------------- of each page

    @event_priority(100)  # first: other plugins move lines
    def _stamp_blocks(self, markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
        """Have each block say where its author wrote it."""
        content = page.file.content_string
        if not content.endswith(markdown):
            return markdown  # a plugin has changed the source itself; its blocks are searched for
        return stamp(markdown, self.path_of(page.file), content.count("\n") - markdown.count("\n"))

    @event_priority(-100)  # last: after plugins that change the text
    def _announce(self, markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
        """Announce the page that is converted next."""
        path = self.path_of(page.file)
        folder = Path(page.file.abs_src_path).parent if page.file.abs_src_path else ""
        skips = self._skips(path, page.meta.get(NAME))
        self._ready.announced = CurrentPage(path=path, text=page.file.content_string, folder=str(folder), skips=skips)
        return markdown

    on_page_markdown = CombinedEvent(_stamp_blocks, _announce)

    def _skips(self, path: str, options: object) -> bool:
        """Return whether the front matter of a page says that its blocks do not run."""
        if options is None or options in ({"skip": True}, {"skip": False}):
            return options == {"skip": True}
        self.note_mistake(PageError(f"{path}:1: front matter: codeout must be `skip: true` or `skip: false`"))
        return True

    @event_priority(100)  # first: other plugins see the complete page
    def on_page_content(self, html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
        """Complete what MkDocs knows of the page: its title, its anchors, and how its blocks ran."""
        path, self._ready.announced = self.path_of(page.file), None
        page.markdown = strip_stamps(page.markdown or "")
        if converted := self.pages.get(path):
            if isinstance(page.title, str) and page.title != (title := converted.fill_title(page.title)):
                # Themes write the title as it is, and without its escapes into <title>: there, too, it must be no tag.
                page.title = title.replace("&lt;", "&lt;\u200b")
            page.present_anchor_ids = {*(page.present_anchor_ids or ()), *(each.id for each in converted.blocks)}
            page.meta["codeout_summary"] = converted.summary
        return html

    # ------------------------------------------------------------------------------------------------ after all pages

    @event_priority(100)
    def on_env(self, env: Environment, *, config: MkDocsConfig, files: Files) -> None:
        """Report the mistakes of all pages, and complete the pages that show something of the whole site."""
        sessions = self._sessions()
        self._check_patterns(sessions)
        if self._problems:
            raise PluginError("\n\n".join(dict.fromkeys(self._problems)))
        if isinstance(self._ready.resolver, LiveResolver):
            self._ready.resolver.live.keep(sessions)
            self._ready.resolver.live.on_idle()
        elif sessions and self.mode == "build":
            log.info("%s", UP_TO_DATE)
        for file in files.documentation_pages():
            if file.page and file.page.content:
                file.page.content = self.extras.fill_overviews(file.page.content, file.page, self._titles(files))

    def _sessions(self) -> list[Session]:
        return group_sessions([each.block for page in self.pages.values() for each in page.blocks])

    def _check_patterns(self, sessions: list[Session]) -> None:
        """Check that settings which name sessions name some of the site's."""
        if self._is_partial:
            return
        try:
            self._ready.config.check_patterns(block.session for session in sessions for block in session.blocks)
        except CodeoutError as problem:
            self.note_mistake(problem)

    @staticmethod
    def _titles(files: Files) -> list[Page]:
        return [file.page for file in files.documentation_pages() if file.page]

    def on_post_page(self, output: str, *, page: Page, config: MkDocsConfig) -> str:
        """Fill in what was not known when parts of a built page were converted; have a served page ask for news."""
        if self.mode == "build":
            return self.extras.fill_in_urls(output, page.url)
        head, body, rest = output.rpartition("</body>")
        return f"{head}{self._news.script(self._shown)}{body}{rest}" if body and self._news else output

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        """Write down what the build used, and keep the layouts for the next one."""
        if self._ready.layouts:
            self._ready.layouts.save()
        write_record(
            self._ready.config, BuildRecord(config.site_url or "", self._options, tuple(self.recorded_pages()))
        )
        self._publish_change()

    def recorded_pages(self) -> list[RecordedPage]:
        """Return what a record has of each page that was converted."""
        return [
            RecordedPage(
                path=page.path,
                text=page.text_with_holes(),
                blocks=tuple(each.block for each in page.blocks),
                keys=tuple(each.state.key for each in page.blocks),
            )
            for page in self.pages.values()
            if page.blocks
        ]

    @property
    def settings(self) -> Config:
        """The settings of the engine, once MkDocs has read the configuration."""
        return self._ready.config

    def take_page(self, page: ConvertedPage) -> None:
        """Take in a converted page, unless it is only a part of one."""
        if self._ready.announced:
            self.pages[page.path] = page

    def pictures(self, site: Site) -> Pictures:
        """Return what knows where the page that is converted now finds its pictures."""
        if self.mode == "build":
            announced = self._ready.announced
            file = self._files.get(announced.path) if announced else None
            return self.extras.pictures(file.url if file else None)
        kind = ServedPictures if self.mode == "serve" else Pictures
        return kind(RunStore(site.config.path(site.config.cache)).pictures)

    def note_mistake(self, problem: CodeoutError) -> None:
        """Take in a mistake: a build reports those of all pages, a server goes on."""
        self._is_partial = True
        if self.mode == "serve":
            log.error("%s", problem)
        else:
            self._problems.append(str(problem))

    def on_build_error(self, *, error: Exception) -> None:
        """End what runs ahead for a build that has failed."""
        if self.mode == "build":
            self.on_shutdown()

    def on_serve(self, server: LiveReloadServer, *, config: MkDocsConfig, builder: Any) -> LiveReloadServer:
        """Watch the files that pages depend on, and answer open pages that ask for news."""
        if self._news:
            self._news.attach(server)
        settings = self._ready.config
        for path in {*settings.paths, settings.prelude} - {""}:
            server.watch(str(settings.path(path)))
        self._watched.attach(server)
        return server

    def on_shutdown(self) -> None:
        """End all processes."""
        if self._site is not None:
            self._site.resolver.close()

    def _publish_change(self) -> None:
        if self._news:
            self._news.publish()

    def path_of(self, file: Any) -> str:
        """Return the path of a page by its file, relative to the folder of the configuration file."""
        if self._paths is None:
            raise AssertionError("MkDocs calls on_config before every other event")
        return self._paths.path_of(file)

    @property
    def extras(self) -> PageExtras:
        """What is added to pages."""
        return PageExtras(self._ready, self.pages, self._files, self._destinations, self._url, self._site_dir)

    @property
    def _ready(self) -> Site:
        if self._site is None:
            raise AssertionError("MkDocs calls on_config before every other event")
        return self._site


class _PluginHost(Host):
    """What the extension notices of the site around its pages."""

    is_announcing = True

    def __init__(self, plugin: CodeoutPlugin) -> None:
        self._plugin = plugin

    def header_links(self, page: ConvertedPage) -> list[str]:
        return self._plugin.extras.links(page) if self._plugin.mode != "collect" else []

    def path_of(self, file: Any) -> str:
        return self._plugin.path_of(file)

    def handle_error(self, problem: CodeoutError) -> str:
        self._plugin.note_mistake(problem)
        return f'<div class="codeout-error"><pre>{escape(str(problem))}</pre></div>'

    def pictures(self, site: Site) -> Pictures:
        return self._plugin.pictures(site)

    def take_page(self, page: ConvertedPage) -> None:
        self._plugin.take_page(page)
