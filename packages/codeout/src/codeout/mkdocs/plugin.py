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
from codeout.markdown.site import BuildResolver, CacheResolver, CurrentPage, Host, LiveParts, LiveResolver, Site
from codeout.mkdocs.page_extras import PageExtras
from codeout.mkdocs.settings import PagePaths, read_settings
from codeout.model.blocks import Session, group_sessions
from codeout.model.outputs import Run
from codeout.render.pictures import Pictures, ServedPictures
from codeout.run.engine import UP_TO_DATE, Engine

if TYPE_CHECKING:
    from jinja2 import Environment
    from markdown import Markdown
    from mkdocs.livereload import LiveReloadServer

    from codeout.markdown.site import Resolver
    from codeout.mkdocs.serving import News, WatchedFolders

Mode = Literal["build", "serve", "collect"]


class Settings(PluginConfig):
    """None: the options are those of the extension, where every generator reads them."""


class CodeoutPlugin(BasePlugin[Settings], Host):
    """Prepares the site for the extension, and completes its pages."""

    is_announcing = True
    _paths: PagePaths  # set by `on_config`, which is called before every other event

    def __init__(self) -> None:
        super().__init__()
        self.mode: Mode = "build"
        self.pages: dict[str, ConvertedPage] = {}
        self._site: Site | None = None
        self._files: dict[str, Any] = {}
        self._destinations: set[str] = set()
        self._url = self._site_dir = ""
        self._options: dict[str, Any] = {}
        self._problems: list[str] = []
        self._is_partial = False  # whether pages are left out: those that a dirty build skips, or have a mistake
        self._is_dirty = False
        self._news: News | None = None
        self._shown = 0  # how many changes the pages of this build show at least
        self._watched: WatchedFolders | None = None

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
            self._site = Site(config=settings, resolver=self._new_resolver(settings), host=self)
        for each in logging.getLogger("mkdocs.commands.build").filters if self.mode == "serve" else ():
            if isinstance(each, DuplicateFilter):
                each.msgs.clear()  # the same mistake is logged again, when it is made again
        self._paths = PagePaths(config, settings.root)
        config.mdx_configs[NAME] = {**options, "site": self._site}
        return config

    def _new_resolver(self, settings: Config) -> Resolver:
        if self.mode == "serve":
            # On use, so that a build starts quickly.
            from codeout.mkdocs.serving import News, WatchedFolders
            from codeout.run.live import LiveSessions

            self._news = self._news or News(lambda: self.site)
            self._watched = self._watched or WatchedFolders()
            live = LiveSessions(settings, self._news.publish, self._watch_inputs)
            live.engine.preparation.start()  # while MkDocs gets ready
            return LiveResolver(live)
        if self.mode == "collect":
            return CacheResolver(Lookup(settings))
        engine = Engine(settings, keeps_base=True)
        engine.preparation.start()
        return BuildResolver(engine, self.predict)

    def _watch_inputs(self, runs: Sequence[Run]) -> None:
        """Have the server watch what runs have read."""
        if self._watched and isinstance(self.site.resolver, LiveResolver):
            self._watched.add(self.site.resolver.live.engine.lookup.inputs, runs)

    @event_priority(-100)  # last: a blog hides its posts until then
    def on_nav(self, nav: Navigation, *, config: MkDocsConfig, files: Files) -> Navigation:
        """Note the pages of the site, and that none is converted yet."""
        self.pages, self._problems, self._is_partial = {}, [], self._is_dirty
        self.site.live = LiveParts()
        self._shown = self._news.version if self._news else 0
        extensions = (config.markdown_extensions, {**config.mdx_configs, NAME: self._options})
        self.site.layouts = LayoutCache.load(self.site.config.memo / "layouts.json", extensions)
        self._files = {self.path_of(file): file for file in files.documentation_pages()}
        self._destinations = {file.dest_uri for file in files}
        self._url = config.site_url or ""
        self._site_dir = config.site_dir if self.mode == "build" else ""
        if self.mode == "build":
            gc.freeze()  # what is there now stays to the end; a collection would only go through all of it
        return nav

    def predict(self, md: Markdown) -> list[Session]:
        """Return the sessions that the pages that are still to be converted will probably have."""
        from codeout.markdown.predictor import Predictor  # on use, since it is for sites with something to run

        predictor = Predictor(md, self.site.config)
        later = [(path, file) for path, file in self._files.items() if path not in self.pages]
        return group_sessions([block for path, file in later for block in predictor.predict(path, file.content_string)])

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
        self.site.announced = CurrentPage(path=path, text=page.file.content_string, folder=str(folder), skips=skips)
        return markdown

    on_page_markdown = CombinedEvent(_stamp_blocks, _announce)

    def _skips(self, path: str, options: object) -> bool:
        """Return whether the front matter of a page says that its blocks do not run."""
        if options is None or options in ({"skip": True}, {"skip": False}):
            return options == {"skip": True}
        self._note_mistake(PageError(f"{path}:1: front matter: codeout must be `skip: true` or `skip: false`"))
        return True

    @event_priority(100)  # first: other plugins see the complete page
    def on_page_content(self, html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
        """Complete what MkDocs knows of the page: its title, its anchors, and how its blocks ran."""
        path, self.site.announced = self.path_of(page.file), None
        page.markdown = strip_stamps(page.markdown or "")
        if converted := self.pages.get(path):
            if isinstance(page.title, str) and page.title != (title := converted.fill_title(page.title)):
                # Themes write the title as it is, and without its escapes into <title>: there, too, it must be no tag.
                page.title = title.replace("&lt;", "&lt;\u200b")
            page.present_anchor_ids = {*(page.present_anchor_ids or ()), *(each.id for each in converted.blocks)}
            page.meta["codeout_summary"] = converted.summary
        return html

    @event_priority(100)
    def on_env(self, env: Environment, *, config: MkDocsConfig, files: Files) -> None:
        """Report the mistakes of all pages, and complete the pages that show something of the whole site."""
        sessions = group_sessions([each.block for page in self.pages.values() for each in page.blocks])
        if not self._is_partial:
            try:
                self.site.config.check_patterns(block.session for session in sessions for block in session.blocks)
            except CodeoutError as problem:
                self._note_mistake(problem)
        if self._problems:
            raise PluginError("\n\n".join(dict.fromkeys(self._problems)))
        if isinstance(self.site.resolver, LiveResolver):
            self.site.resolver.live.keep(sessions)
            self.site.resolver.live.on_idle()
        elif sessions and self.mode == "build":
            log.info("%s", UP_TO_DATE)
        pages = [file.page for file in files.documentation_pages() if file.page]
        for page in pages:
            if page.content:
                page.content = self.extras.fill_overviews(page.content, page, pages)

    def on_post_page(self, output: str, *, page: Page, config: MkDocsConfig) -> str:
        """Fill in what was not known when parts of a built page were converted; have a served page ask for news."""
        if self.mode == "build":
            return self.extras.fill_in_urls(output, page.url)
        head, body, rest = output.rpartition("</body>")
        if not body or not self._news:
            return output
        return f"{head}{self._news.script(self._shown, self._paths.path_of(page.file))}{body}{rest}"

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        """Write down what the build used, and keep the layouts for the next one."""
        if self.site.layouts:
            self.site.layouts.save()
        record = BuildRecord(config.site_url or "", self._options, tuple(self.recorded_pages()))
        write_record(self.site.config, record)
        if self._news:
            self._news.publish()

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

    def take_page(self, page: ConvertedPage) -> None:
        """Take in a converted page, unless it is only a part of one."""
        if self.site.announced:
            self.pages[page.path] = page

    def pictures(self, site: Site) -> Pictures:
        """Return what knows where the page that is converted now finds its pictures."""
        if self.mode == "build":
            announced = self.site.announced
            file = self._files.get(announced.path) if announced else None
            return self.extras.pictures(file.url if file else None)
        kind = ServedPictures if self.mode == "serve" else Pictures
        return kind(RunStore(site.config.path(site.config.cache)).pictures)

    def on_build_error(self, *, error: Exception) -> None:
        """End what runs ahead for a build that has failed."""
        if self.mode == "build":
            self.on_shutdown()

    def on_serve(self, server: LiveReloadServer, *, config: MkDocsConfig, builder: Any) -> LiveReloadServer:
        """Watch the files that pages depend on, and answer open pages that ask for news."""
        if self._news and self._watched:
            self._news.attach(server)
            self._watched.attach(server)
        settings = self.site.config
        for path in {*settings.paths, settings.prelude} - {""}:
            server.watch(str(settings.path(path)))
        return server

    def on_shutdown(self) -> None:
        """End all processes."""
        if self._site is not None:
            self._site.resolver.close()

    def path_of(self, file: Any) -> str:
        """Return the path of a page by its file, relative to the folder of the configuration file."""
        return self._paths.path_of(file)

    def header_links(self, page: ConvertedPage) -> list[str]:
        """Return links to what can be downloaded of a page, and to where else it can be opened."""
        return self.extras.links(page) if self.mode != "collect" else []

    def handle_error(self, problem: CodeoutError) -> str:
        """Take in a page's mistake; return the HTML of a page that shows it."""
        self._note_mistake(problem)
        return f'<div class="codeout-error"><pre>{escape(str(problem))}</pre></div>'

    def _note_mistake(self, problem: CodeoutError) -> None:
        """Take in a mistake: a build reports those of all pages, a server goes on."""
        self._is_partial = True
        if self.mode == "serve":
            log.error("%s", problem)
        else:
            self._problems.append(str(problem))

    @property
    def extras(self) -> PageExtras:
        """What is added to pages."""
        return PageExtras(
            site=self.site,
            pages=self.pages,
            files=self._files,
            destinations=self._destinations,
            url=self._url,
            site_dir=self._site_dir,
        )

    @property
    def site(self) -> Site:
        """What the conversions of the site share, once MkDocs has read the configuration."""
        if self._site is None:
            raise AssertionError("MkDocs calls on_config before every other event")
        return self._site
