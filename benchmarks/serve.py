"""How long an author waits for an edit of the classifier page's filters, far below its two-epoch training.

    python benchmarks/serve.py                            about two minutes
    python benchmarks/serve.py --busy 4 --listeners 200   beside four busy processes, with 200 open pages

Measured is the time from the saved edit to the moment at which a page that is open is told the new output: the server
has seen the edit and built the page again by then, and the browser has loaded it. Medians of five.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from threading import Event, Thread

import psutil
from builds import copy, told

SNIPPET = "snippets/training_a_classifier.py"
PAGE = "training_a_classifier/"
LAST = re.compile(r"# --8<-- \[start:filters\]\n")
TIMES = 5


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--busy", type=int, default=0, help="processes that compute beside the server")
    parser.add_argument("--listeners", type=int, default=0, help="pages that are open besides the one that is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = copy(Path(folder) / "site")
        port = free_port()
        command = [sys.executable, "-m", "mkdocs", "serve", "-q", "-a", f"127.0.0.1:{port}"]
        server = subprocess.Popen(command, cwd=site, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
        try:
            url = f"http://127.0.0.1:{port}/"
            names = settled(url)
            stop = Event()
            open_pages = [Thread(target=ask, args=(url, stop), daemon=True) for _ in range(options.listeners)]
            for page in open_pages:
                page.start()
            busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.busy)]
            waits, alone = zip(
                *(edited(site / SNIPPET, url, names[-1], number) for number in range(TIMES)), strict=True
            )
            threads = psutil.Process(server.pid).num_threads()
            for process in busy:
                process.kill()
            stop.set()
        finally:
            server.terminate()
            server.wait(30)
    wait, block = statistics.median(waits), statistics.median(alone)
    print(told())
    print("| edit of a block below the training, serving | seconds |\n| --- | ---: |")
    print(f"| the block alone (floor) | {block:.2f} |\n| until its new output is in the page | {wait:.2f} |")
    print(f"| more than the floor | {wait - block:.2f} |")
    print(f"\n{threads} threads in the server, {options.listeners} pages open, {options.busy} busy processes beside it")


def ask(url: str, stop: Event) -> None:
    """Ask for news now and then, as an open page does while something runs."""
    since = 0
    while not stop.wait(0.4):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}codeout/news?since={since}") as answer:
            since = json.load(answer)["version"]


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def settled(url: str) -> list[str]:
    """Wait until all blocks of the page have run; return their names, in order."""
    while True:
        with contextlib.suppress(OSError):
            names = [name for name, _ in blocks(url)]
            if names and set(names) <= {name for name, state in first_event(url).items() if "html" in state}:
                return names
        time.sleep(0.2)


def edited(snippet: Path, url: str, name: str, number: int) -> tuple[float, float]:
    """Edit the block of the filters, above block `name`; return the seconds until it is shown, and those it ran."""
    before = dict(blocks(url))[name]
    text = snippet.read_text(encoding="utf8")
    line = f"print('edit {number}')\n"
    snippet.write_text(LAST.sub(lambda match: match[0] + line, text), encoding="utf8")
    start = time.perf_counter()
    while (key := dict(blocks(url))[name]) == before:  # the server holds back a page that it builds
        time.sleep(0.01)
    while (shown_state := showing(url, f"edit {number}")) is None:
        time.sleep(0.01)
    seconds = time.perf_counter() - start
    edited_block, html = shown_state
    if first_event(url)[edited_block]["key"] != dict(blocks(url))[edited_block] or key == before:
        sys.exit("the page and its output are not of the same code")
    shown = re.search(r"· ([\d.]+) (ms|s)\b", html)
    if shown is None:
        sys.exit(f"no seconds in {html[-500:]}")
    return seconds, float(shown[1]) / (1000 if shown[2] == "ms" else 1)


def showing(url: str, text: str) -> tuple[str, str] | None:
    """Return the name and the HTML of the block whose output contains a text; None if there is none."""
    states = ((name, state.get("html", "")) for name, state in first_event(url).items())
    return next(((name, html) for name, html in states if text in html), None)


def blocks(url: str) -> list[tuple[str, str]]:
    """Return name and key of each block of the page, as served now."""
    with urllib.request.urlopen(url + PAGE) as answer:
        found = re.findall(r'<div data-codeout="([^"]+)" data-key="([^"]+)"', answer.read().decode())
    return [(str(name), str(key)) for name, key in found]


def first_event(url: str) -> dict[str, dict[str, str]]:
    """Return what a page that knows nothing is told: the state of every block."""
    with urllib.request.urlopen(url + "codeout/news?since=0") as answer:
        states: dict[str, dict[str, str]] = json.load(answer)["states"]
    return states


if __name__ == "__main__":
    main()
