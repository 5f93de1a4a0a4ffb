"""A live server of a small site, and how to wait for what it does."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


class Server:
    """A server of a small site, and what it tells its pages."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "mkdocs", "serve", "-a", f"127.0.0.1:{port}"]
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=folder, stderr=log, start_new_session=True)
        until(lambda: "Serving on" in self.log.read_text())

    def page(self, path: str = "first/") -> str:
        """Return the HTML of a page."""
        with urllib.request.urlopen(f"{self.url}/{path}") as answer:
            return str(answer.read().decode())

    def events(self) -> Generator[dict[str, dict[str, str]], None, None]:
        """Yield the states that have changed, as a page that asks for news gets them."""
        since, deadline = 0, time.monotonic() + 30
        while time.monotonic() < deadline:
            news = self.news(since)
            if news["version"] > since or not since:
                yield news["states"]
            since = news["version"]
            time.sleep(0.1)

    def news(self, since: int) -> dict[str, Any]:
        """Return the answer to a page that asks what has changed since a version."""
        with urllib.request.urlopen(f"{self.url}/codeout/news?since={since}", timeout=120) as answer:
            news: dict[str, Any] = json.load(answer)
        return news

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
