"""What a live server does besides: it tells open pages what has happened to their blocks, and watches what those read.

A page asks one small address while something runs and its tab is seen; `live.js` puts the answers into the page. No
connection is kept, so any number of tabs may be open. State is computed once per change, whoever asks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import msgspec

from codeout.cache.input_reader import InputReader
from codeout.cache.store import RunStore
from codeout.markdown.site import LiveResolver, Renderer, Site
from codeout.model.outputs import Run
from codeout.render.pictures import ServedPictures
from codeout.run.engine import BlockState

if TYPE_CHECKING:
    from mkdocs.livereload import LiveReloadServer

PATH = "/codeout/news"
FOLDER = Path(__file__).parent
INTERVAL = 0.1
"""Seconds for which an answer is as good as a new one, unless something has changed that must be told at once."""
MAX_WATCHED = 20
"""Folders besides those of pages and modules that a server watches; it has a thread for each."""
SYSTEM_FOLDERS = ("/usr/", "/etc/", "/lib")
"""What only an installation changes, such as fonts."""
State = dict[str, str]
"""Of a block: its key, and either its HTML or how far it is."""


class News:
    """What has happened to the blocks of one site since its server started.

    Threads of sessions call `publish`, those of the server answer requests: `_lock` lets one of them compute at a time,
    and guards the states.
    """

    def __init__(self, site: Callable[[], Site]) -> None:
        """Take what returns the site whose pages ask: another one, once its settings have changed."""
        self._site = site
        self._states: dict[str, tuple[int, State]] = {}
        self._rendered: dict[str, tuple[Run, Renderer, str]] = {}
        self.version = 0
        """The number of changes so far; a page that is converted from now on shows them."""
        self._computed = 0.0
        self._has_changed = True
        self._lock = Lock()

    def attach(self, server: LiveReloadServer) -> None:
        """Answer requests beside the server's own pages."""
        pages: WSGIApplication | None = server.get_app()

        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            path = environ["PATH_INFO"]
            found: tuple[str, bytes] | None = None
            if path == PATH:
                query = parse_qs(environ.get("QUERY_STRING", ""))
                since, page = (query.get(name, [""])[0] for name in ("since", "page"))
                found = "application/json", self.answer(int(since) if since.isdecimal() else 0, page)
            elif path.startswith(ServedPictures.PATH):
                config = self._site().config
                served = ServedPictures(RunStore(config.path(config.cache)).pictures)
                found = served.read_served(path.removeprefix(ServedPictures.PATH))
            if found is None:
                return pages(environ, start_response) if pages else []
            kind, content = found
            headers = [("Content-Type", kind), ("Content-Length", str(len(content))), ("Cache-Control", "no-store")]
            start_response("200 OK", headers)
            return [content]

        server.set_app(application)

    def publish(self) -> None:
        """Note that something has changed; any thread may call it, and it costs nothing."""
        self._has_changed = True

    def answer(self, since: int, page: str = "") -> bytes:
        """Return what has changed since a version, as JSON: the version now, whether something runs, and states.

        The page that asks is one that somebody looks at, so what it needs runs first.
        """
        resolver = self._site().resolver
        is_running = isinstance(resolver, LiveResolver) and resolver.live.is_running
        if page and isinstance(resolver, LiveResolver):
            resolver.live.engine.prefer(page)
        with self._lock:
            # What has ended is told at once: a page that hears of it asks no more.
            is_due = not is_running or time.monotonic() - self._computed > INTERVAL
            if is_due and (self._has_changed or is_running):
                self._has_changed = False
                self._update(resolver)
                self._computed = time.monotonic()
            states = {name: state for name, (version, state) in self._states.items() if version > since}
            return json.dumps({"version": self.version, "running": is_running, "states": states}).encode()

    def script(self, since: int, page: str) -> str:
        """Return the style and the script of a page, by its path, that shows everything down to a version."""
        style, script = ((FOLDER / name).read_text(encoding="utf8") for name in ("live.css", "live.js"))
        script = script.replace("PATH", PATH).replace("SINCE", str(since))
        script = script.replace("PAGE", quote(page, safe=""))
        return f"<style>{style}</style><script>{script}</script>"

    def _update(self, resolver: object) -> None:
        """Compute the state of everything that may have changed since the server started."""
        states = dict(self._compute(self._site(), resolver)) if isinstance(resolver, LiveResolver) else {}
        news = {name for name, state in states.items() if name not in self._states or self._states[name][1] != state}
        self.version += bool(news)
        self._states = {
            name: (self.version if name in news else self._states[name][0], state) for name, state in states.items()
        }

    def _compute(self, site: Site, resolver: LiveResolver) -> Iterator[tuple[str, State]]:
        """Yield the state of each block of the sessions that run, or have run since the server started."""
        running = {progress.session: progress for progress in resolver.live.progress()}
        dependents: dict[str, None] = {}
        for session, number, state in resolver.live.current():
            progress = running.get(session)
            dependents |= dict.fromkeys(site.live.depends_on.get(state.name, ()))
            if state.run is not None:
                if render := site.live.renderers.get(state.name):
                    yield state.name, {"key": state.key, "html": self._html(state, state.run, render)}
            elif progress and progress.block == number:
                message, text = progress.describe(time.monotonic()), progress.rendered_text()
                yield state.name, {"key": state.key, "message": message, "text": text}
            else:
                message = f"Waiting for block {progress.block} of {progress.blocks}" if progress else "Queued"
                yield state.name, {"key": state.key, "message": message, "text": ""}
        for name in dependents:
            if dependent := site.live.dependents.get(name):
                yield name, {"key": site.live.keys[name], "html": dependent()}

    def _html(self, state: BlockState, run: Run, render: Renderer) -> str:
        """Return a block that has run as its page shows it; computed once."""
        known = self._rendered.get(state.name)
        if known is None or known[0] is not run or known[1] is not render:
            known = self._rendered[state.name] = (run, render, render(state))
        return known[2]


class WatchedFolders(msgspec.Struct):
    """The folders of what blocks have read: an editor may replace a file, or put one where none was."""

    _server: LiveReloadServer | None = None
    _folders: set[str] = msgspec.field(default_factory=set)

    def attach(self, server: LiveReloadServer) -> None:
        """Have a server watch the folders that are known, and those that follow."""
        self._server = server
        for folder in sorted(self._folders):
            server.watch(folder, recursive=False)

    def add(self, reader: InputReader, runs: Sequence[Run]) -> None:
        """Watch the folders of what runs have read."""
        for path in reader.paths(runs):
            folder = path if Path(path).is_dir() else str(Path(path).parent)
            is_wanted = folder not in self._folders and not folder.startswith(SYSTEM_FOLDERS)
            if is_wanted and len(self._folders) < MAX_WATCHED and Path(folder).is_dir():
                self._folders.add(folder)
                if self._server:
                    self._server.watch(folder, recursive=False)
