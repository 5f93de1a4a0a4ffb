"""What the conversions of one site share: how blocks get their runs, and what a plugin knows of the present page."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import msgspec

from codeout.cache.layouts import LayoutCache
from codeout.cache.lookup import Lookup
from codeout.cache.store import RunStore
from codeout.config import Config
from codeout.errors import CodeoutError, PageError
from codeout.model.blocks import Session
from codeout.model.outputs import Run
from codeout.render.pictures import Pictures
from codeout.run.engine import BlockState, Engine

if TYPE_CHECKING:
    from markdown import Markdown

    from codeout.markdown.page_blocks import ConvertedPage
    from codeout.run.live import LiveSessions

Renderer = Callable[[BlockState], str]
"""Returns the HTML of a block in a state."""


class Resolver(ABC):
    """Gives blocks their runs: by running them, by starting them, or from the cache alone."""

    is_live = False
    """Whether pages are updated when a block has run later."""

    @abstractmethod
    def states(self, sessions: Sequence[Session], md: Markdown) -> dict[str, BlockState]:
        """Return the state of each block by its name; more blocks of the same sessions may follow.

        Raises:
            CodeoutError: a block failed, or cannot be run.
        """

    def run_now(self, name: str) -> Run | None:
        """Return the run of a block, if it has run since its page was converted."""
        return None

    def end_page(self) -> None:  # noqa: B027 (most have nothing to do)
        """Expect no more blocks of the page."""

    def close(self) -> None:  # noqa: B027 (where nothing runs, there is nothing to end)
        """End all processes."""


class BuildResolver(Resolver):
    """Runs what is stale, and waits for it."""

    def __init__(self, engine: Engine, predict: Callable[[Markdown], Sequence[Session]] = lambda md: ()) -> None:
        self.engine = engine
        self._predict: Callable[[Markdown], Sequence[Session]] | None = predict

    def states(self, sessions: Sequence[Session], md: Markdown) -> dict[str, BlockState]:
        """Return the state of each block by its name, once all have run.

        Raises:
            CodeoutError: a block failed, or cannot be run.
        """
        return self.engine.states(sessions, may_grow=True, on_stale=lambda: self._start_ahead(md))

    def end_page(self) -> None:
        """End the sessions of the page."""
        self.engine.expect_no_more()

    def close(self) -> None:
        """End all processes."""
        self.engine.close()

    def _start_ahead(self, md: Markdown) -> None:
        predict, self._predict = self._predict, None  # once: where nothing is stale, nothing needs to be predicted
        if predict:
            self.engine.start_ahead(predict(md))


class LiveResolver(Resolver):
    """Starts what is stale, and does not wait: pages are updated when blocks have run."""

    is_live = True

    def __init__(self, live: LiveSessions) -> None:
        self.live = live

    def states(self, sessions: Sequence[Session], md: Markdown) -> dict[str, BlockState]:
        """Return what is known of each block now, by its name.

        Raises:
            PageError: data files are missing, or the script that prepares them failed.
        """
        return self.live.states(sessions)

    def run_now(self, name: str) -> Run | None:
        """Return the run of a block, if it has run since its page was converted."""
        return self.live.run(name)

    def close(self) -> None:
        """End all processes."""
        self.live.close()


class CacheResolver(Resolver):
    """Runs nothing: gives the runs that the cache has."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def states(self, sessions: Sequence[Session], md: Markdown) -> dict[str, BlockState]:
        """Return each block with its run, if the cache has it, by its name; no data are prepared."""
        states: dict[str, BlockState] = {}
        for session in sessions:
            try:
                loaded = self._lookup.peek(session)
            except PageError:  # data is missing: nothing that depends on it is in the cache
                states |= {name: BlockState(name) for name in session.block_names}
                continue
            for name, key, run in zip(session.block_names, loaded.keys, loaded.cached, strict=True):
                states[name] = BlockState(name, str(key), run)
        return states


class CurrentPage(msgspec.Struct, frozen=True, kw_only=True):
    """The page that a generator converts now."""

    path: str
    """Relative to the folder of the site's configuration file."""
    text: str
    """As its author wrote it, front matter included."""
    folder: str = ""
    skips: bool = False
    """Whether its blocks do not run, as its front matter says."""


class LiveParts(msgspec.Struct, kw_only=True):
    """What of the pages changes when blocks have run, for a live server; of the last conversion of each page."""

    renderers: dict[str, Renderer] = msgspec.field(default_factory=dict)
    """By the name of a block: how a page shows it."""
    dependents: dict[str, Callable[[], str]] = msgspec.field(default_factory=dict)
    """By the name of a value or a summary: how a page shows it, as far as blocks have run."""
    depends_on: dict[str, set[str]] = msgspec.field(default_factory=dict)
    """By the name of a block: the names of its dependents."""
    keys: dict[str, str] = msgspec.field(default_factory=dict)
    """By the name of a dependent: what tells one version of its page from another."""

    def add_dependent(self, name: str, key: str, blocks: Iterable[str], render: Callable[[], str]) -> str:
        """Register what changes when blocks have run; return the attributes that let a live page find it."""
        self.dependents[name], self.keys[name] = render, key
        for block in blocks:
            self.depends_on.setdefault(block, set()).add(name)
        return f'data-codeout="{escape(name)}" data-key="{key}"'


class Host:
    """What converts pages, as far as they notice: this one knows nothing of a site around them."""

    is_announcing = False
    """Whether it announces each page; what is converted in between is part of another page."""

    def header_links(self, page: ConvertedPage) -> list[str]:
        """Return the HTML of links that follow the sentence under the title of a page."""
        return []

    def path_of(self, file: Any) -> str:
        """Return the path of a page by its generator's file object."""
        return str(file)

    def handle_error(self, problem: CodeoutError) -> str:
        """Take in a page's mistake: raise it, or return the HTML of a page that shows it.

        Raises:
            CodeoutError: the mistake.
        """
        raise problem

    def pictures(self, site: Site) -> Pictures:
        """Return what knows where the page that is converted now finds its pictures."""
        return Pictures(RunStore(site.config.path(site.config.cache)).pictures)

    def take_page(self, page: ConvertedPage) -> None:
        """Take in a converted page."""


class Site(msgspec.Struct, kw_only=True):
    """What the conversions of one site share."""

    config: Config
    resolver: Resolver
    host: Host = Host()
    layouts: LayoutCache | None = None
    """Layouts of blocks that were made before."""
    announced: CurrentPage | None = None
    """The page that is converted now, if the host knows it."""
    live: LiveParts = msgspec.field(default_factory=LiveParts)
