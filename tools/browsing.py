"""Find Chromium, and serve a site as GitHub Pages does.

python tools/browsing.py      prints the path of Chromium
"""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# No requests of Chromium's own, and no sandbox, which needs privileges that a container does not have.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
COMPRESSED = {".html", ".css", ".js", ".json", ".svg", ".xml", ".txt"}


def find_chromium() -> str:
    """Return the path of the browser: the environment variable CHROMIUM, or the first that is installed.

    Raises:
        FileNotFoundError: there is none.
    """
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not path:
        choices = "run `apt-get install chromium`, or set CHROMIUM to the path of a browser"
        raise FileNotFoundError(f"{__file__}:1: none of {', '.join(NAMES)} is installed; {choices}")
    return path


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        is_compressed = path.suffix in COMPRESSED and "gzip" in self.headers.get("Accept-Encoding", "")
        content = gzip.compress(content) if is_compressed else content
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "max-age=600")
        if is_compressed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(site: Path) -> Iterator[str]:
    """Serve a folder, and yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


if __name__ == "__main__":
    try:
        print(find_chromium())
    except FileNotFoundError as error:
        sys.exit(str(error))
