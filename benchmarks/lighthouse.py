"""What Lighthouse says of each page, on its mobile settings, and what a page's first view weighs over the wire.

    mkdocs build --strict && python benchmarks/lighthouse.py site

Pages are served compressed, as GitHub Pages does. Takes Node and Chromium; npm fetches Lighthouse itself. Scores
are of 100; performance depends on the machine, so it is a figure to look at and not a test.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LIGHTHOUSE = "lighthouse@13.5.0"
CHROMIUM = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
)
TEXT = {".html", ".css", ".js", ".json", ".svg", ".xml", ".txt"}
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        packed = path.suffix in TEXT and "gzip" in self.headers.get("Accept-Encoding", "")
        content = gzip.compress(content) if packed else content
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "max-age=600")
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a folder; yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: _Handler(*args, directory=str(site)))  # type: ignore[arg-type]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


def measured(url: str, npx: str) -> dict[str, object]:
    """Return the report on a page."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [npx, "--yes", LIGHTHOUSE, url, "--quiet", "--output=json", f"--output-path={report}"]
        environment = {**os.environ, "CHROME_PATH": shutil.which("chromium") or ""}
        subprocess.run([*command, f"--chrome-flags={CHROMIUM}"], check=True, env=environment)
        return dict(json.loads(report.read_text(encoding="utf8")))


def main() -> None:
    """Print a line for each page, and what is short of 100."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="the folder of a built site")
    site = parser.parse_args().site
    if not (npx := shutil.which("npx")):
        sys.exit("lighthouse.py:1: needs npx, which comes with Node")
    pages = sorted(path.parent.relative_to(site).as_posix() for path in site.rglob("index.html"))
    print(f"{'page':24}" + "".join(f"{name:>16}" for name in (*CATEGORIES, "kB on the wire", "LCP, s", "CLS")))
    with served(site) as address:
        for page in pages:
            report = measured(address + ("" if page == "." else f"{page}/"), npx)
            audits, categories = report["audits"], report["categories"]
            scores = [f"{100 * categories[name]['score']:.0f}" for name in CATEGORIES]  # type: ignore[index]
            weight = sum(item["transferSize"] for item in audits["network-requests"]["details"]["items"]) / 1000  # type: ignore[index]
            largest, shift = (
                audits[f"{name}"]["numericValue"] for name in ("largest-contentful-paint", "cumulative-layout-shift")
            )  # type: ignore[index]
            print(
                f"{page:24}"
                + "".join(f"{each:>16}" for each in (*scores, f"{weight:.0f}", f"{largest / 1000:.2f}", f"{shift:.3f}"))
            )
            for name in CATEGORIES:
                for item in categories[name]["auditRefs"]:  # type: ignore[index]
                    audit = audits[item["id"]]  # type: ignore[index]
                    if item["weight"] and audit["score"] is not None and audit["score"] < 0.9:
                        print(f"    {name}: {audit['title']} {audit.get('displayValue', '')}")


if __name__ == "__main__":
    main()
