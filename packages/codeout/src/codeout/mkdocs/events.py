"""Tells the open pages of a live server what their blocks do: a stream of events beside the server's own pages.

The stream is of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): a browser
connects again by itself, and needs no library. `live.js` puts what comes into the page.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from html import escape
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from codeout.markdown.page import Show, Site
from codeout.model.outputs import Run
from codeout.run.engine import BlockState
from codeout.run.live import LiveSessions

PATH = "/codeout/events"
HERE = Path(__file__).parent
STYLE = f"<style>{(HERE / 'live.css').read_text(encoding='utf8')}</style>"
SCRIPT = f"<script>{(HERE / 'live.js').read_text(encoding='utf8')}</script>".replace("PATH", PATH)
PAUSE = 0.1  # seconds between two looks at what has changed
SILENCE = 15.0  # seconds after which something is sent in any case, to learn whether the page is still open

State = dict[str, str]  # of a block: its key, and either its HTML or where its run is
States = dict[str, State]  # by a block's name


class EventStream:
    """The stream of one site."""

    def __init__(self, site: Callable[[], Site]) -> None:
        """Take what returns the site whose pages listen: another one, once its settings have changed."""
        self._site = site
        self._shown: dict[str, tuple[Run | None, Show, str]] = {}

    def wrapped(self, pages: WSGIApplication | None) -> WSGIApplication:
        """Return a server's application with the stream beside its pages."""

        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            behind = self._site().behind
            if environ["PATH_INFO"] != PATH or behind is None:
                return pages(environ, start_response) if pages else []
            start_response("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")])
            return self._events(behind)

        return application

    def _events(self, behind: LiveSessions) -> Iterator[bytes]:
        """Yield what has changed since the last look, for as long as the page listens."""
        sent: States = {}
        spoke, seen = 0.0, -1
        while True:
            now = dict(self._states(behind))
            news = {name: state for name, state in now.items() if sent.get(name) != state}
            if news or time.monotonic() - spoke > SILENCE:
                yield f"data: {json.dumps(news)}\n\n".encode()
                sent, spoke = now, time.monotonic()
            time.sleep(PAUSE)
            seen = behind.engine.running.board.wait_for_change(seen, 1.0)

    def _states(self, behind: LiveSessions) -> Iterator[tuple[str, State]]:
        """Yield the state of each block of the sessions that run, or have run since the server is up."""
        running = {status.session: status for status in behind.engine.running.board.running()}
        for session, number, seen in behind.all():
            status = running.get(session)
            if seen.run is not None:
                if show := self._site().shows.get(seen.name):
                    yield seen.name, {"key": seen.key, "html": self._html(seen, show)}
                for name, value in list(self._site().named.get(seen.name, {}).items()):
                    yield name, {"key": seen.key, "html": escape(value(seen))}
            elif status and status.block == number:
                yield (
                    seen.name,
                    {"key": seen.key, "words": status.describe(time.monotonic()), "text": status.rendered_text()},
                )
            else:
                words = f"Queued; block {status.block} of {status.blocks} is running" if status else "Queued"
                yield seen.name, {"key": seen.key, "words": words, "text": ""}

    def _html(self, seen: BlockState, show: Show) -> str:
        """Return a block that has run as its page shows it."""
        known = self._shown.get(seen.name)
        if known is None or known[0] is not seen.run or known[1] is not show:
            known = self._shown[seen.name] = (seen.run, show, show(seen))
        return known[2]
