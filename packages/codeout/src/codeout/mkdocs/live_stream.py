"""Stream what happens to blocks to the open pages of a live server.

The stream consists of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): a browser
reconnects by itself and needs no library; `live.js` puts the events into the page. State is computed once per change,
in one thread, which also writes to all listeners: their number costs the server neither threads nor computation.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from codeout.markdown.site import LiveResolver, Renderer, Site
from codeout.model.outputs import Run

if TYPE_CHECKING:
    from mkdocs.livereload import LiveReloadServer

PATH = "/codeout/events"
FOLDER = Path(__file__).parent
STYLE = f"<style>{(FOLDER / 'live.css').read_text(encoding='utf8')}</style>"
SCRIPT = f"<script>{(FOLDER / 'live.js').read_text(encoding='utf8')}</script>".replace("PATH", PATH)
INTERVAL = 0.1  # seconds between two updates
TICK = 1.0  # seconds between updates of the time that a block has run
HEARTBEAT = 15.0  # seconds without an event after which a comment is sent, so that proxies keep the connection
MAX_PENDING = 8_000_000  # bytes that wait for a listener before it is dropped
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"

State = dict[str, str]
"""Of a block: its key, and either its HTML or how far it is."""


class Listener:
    """An open page: its connection, and what is still to be sent."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over a connection; writing to it never waits."""
        self.connection = connection
        self.connection.setblocking(False)
        self._pending = bytearray(HEADERS)

    def send(self, content: bytes) -> bool:
        """Send content after what is pending; return whether the page still listens."""
        self._pending += content
        return len(self._pending) <= MAX_PENDING and self.flush()

    def flush(self) -> bool:
        """Send what is pending, as far as the connection takes it; return whether the page still listens."""
        try:
            while self._pending:
                del self._pending[: self.connection.send(self._pending)]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    @property
    def has_pending(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._pending)

    def is_open(self) -> bool:
        """Return whether the other side is there, once the connection can be read."""
        try:
            return self.connection.recv(4096) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False


class EventStream:
    """The stream of one site."""

    def __init__(self, site: Callable[[], Site]) -> None:
        """Take what returns the site whose pages listen: another one, once its settings have changed."""
        self._site = site
        self._rendered: dict[str, tuple[Run | None, Renderer, str]] = {}
        self._sent: dict[str, State] = {}
        self._listeners: dict[socket.socket, Listener] = {}
        self._arrived: SimpleQueue[socket.socket] = SimpleQueue()
        self._taken_over: set[int] = set()
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)

    def attach(self, server: LiveReloadServer) -> None:
        """Answer requests for the stream beside the server's own pages, in one thread for all of them."""
        server.set_app(self._wrap(server.get_app()))
        shut_down: Callable[[Any], None] = server.shutdown_request

        def shut_down_unless_taken_over(request: Any) -> None:
            if id(request) in self._taken_over:
                self._taken_over.discard(id(request))
            else:
                shut_down(request)

        server.shutdown_request = shut_down_unless_taken_over  # type: ignore[method-assign]
        Thread(target=self._serve, daemon=True, name="codeout-events").start()

    def publish(self) -> None:
        """Have the listeners told what has changed; any thread may call it, and it costs nothing."""
        with suppress(BlockingIOError):  # it has been woken many times already
            self._waker.send(b"!")

    def _wrap(self, pages: WSGIApplication | None) -> WSGIApplication:
        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if environ["PATH_INFO"] != PATH or not self._site().resolver.is_live:
                return pages(environ, start_response) if pages else []
            connection: socket.socket = environ["wsgi.input"].raw._sock  # noqa: SLF001 (there is no public way)
            self._taken_over.add(id(connection))
            self._arrived.put(connection)
            self.publish()
            raise ConnectionAbortedError("taken over")  # which wsgiref takes for the end of the request, without a word

        return application

    def _serve(self) -> None:
        """Wait for changes and listeners, for as long as the server runs."""
        self._selector.register(self._wake, selectors.EVENT_READ)
        while True:
            running = self._is_running()
            ready = self._selector.select((TICK if running else HEARTBEAT) if self._listeners else None)
            woken = any(key.fileobj is self._wake for key, _ in ready)
            for key, _ in ready:
                if isinstance(key.data, Listener) and not (key.data.is_open() and key.data.flush()):
                    self._drop(key.data)
            if woken:
                _drain(self._wake)
            self._accept()
            if self._listeners and (woken or running or not ready):
                self._broadcast()
            if woken:
                time.sleep(INTERVAL)  # what changes often is sent at most so often

    def _accept(self) -> None:
        """Send new listeners everything that may have changed since their page was built."""
        if not self._arrived.empty():
            self._broadcast()
        while not self._arrived.empty():
            listener = Listener(self._arrived.get())
            self._listeners[listener.connection] = listener
            self._selector.register(listener.connection, selectors.EVENT_READ, listener)
            self._send(listener, _event(self._sent))

    def _broadcast(self) -> None:
        news = self._update()
        content = _event(news) if news else b": \n\n"  # a comment shows proxies that the connection is alive
        for listener in list(self._listeners.values()):
            self._send(listener, content)

    def _send(self, listener: Listener, content: bytes) -> None:
        if not listener.send(content):
            self._drop(listener)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if listener.has_pending else 0)
        self._selector.modify(listener.connection, events, listener)

    def _drop(self, listener: Listener) -> None:
        if self._listeners.pop(listener.connection, None):
            self._selector.unregister(listener.connection)
            listener.connection.close()

    def _is_running(self) -> bool:
        resolver = self._site().resolver
        return isinstance(resolver, LiveResolver) and bool(resolver.live.progress())

    def _update(self) -> dict[str, State]:
        """Compute the state of everything that may have changed since the server started; return what has changed."""
        resolver = self._site().resolver
        states = dict(self._states(self._site(), resolver)) if isinstance(resolver, LiveResolver) else {}
        news = {name: state for name, state in states.items() if self._sent.get(name) != state}
        self._sent = states
        return news

    def _states(self, site: Site, resolver: LiveResolver) -> Iterator[tuple[str, State]]:
        """Yield the state of each block of the sessions that run, or have run since the server started."""
        running = {progress.session: progress for progress in resolver.live.progress()}
        dependents: dict[str, None] = {}
        for session, number, state in resolver.live.current():
            progress = running.get(session)
            dependents |= dict.fromkeys(site.live.depends_on.get(state.name, ()))
            if state.run is not None:
                if render := site.live.renderers.get(state.name):
                    yield state.name, {"key": state.key, "html": self._html(state.name, state.run, render, state)}
            elif progress and progress.block == number:
                message, text = progress.describe(time.monotonic()), progress.rendered_text()
                yield state.name, {"key": state.key, "message": message, "text": text}
            else:
                message = f"Waiting for block {progress.block} of {progress.blocks}" if progress else "Queued"
                yield state.name, {"key": state.key, "message": message, "text": ""}
        for name in dependents:
            if dependent := site.live.dependents.get(name):
                yield name, {"key": site.live.keys[name], "html": dependent()}

    def _html(self, name: str, run: Run, render: Renderer, state: Any) -> str:
        """Return a block that has run as its page shows it; computed once."""
        known = self._rendered.get(name)
        if known is None or known[0] is not run or known[1] is not render:
            known = self._rendered[name] = (run, render, render(state))
        return known[2]


def _event(states: dict[str, State]) -> bytes:
    return f"data: {json.dumps(states)}\n\n".encode()


def _drain(wake: socket.socket) -> None:
    try:
        while wake.recv(4096):
            pass
    except BlockingIOError:
        return
