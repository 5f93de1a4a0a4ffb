"""What Lighthouse says of each page, on its mobile settings, and what a page's first view weighs over the wire.

    mkdocs build --strict && python tools/lighthouse.py site

Pages are served compressed, as GitHub Pages does. Takes Node and Chromium; npm fetches Lighthouse itself. Scores
are of 100; performance depends on the machine, so it is a figure to look at and not a test.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from browsing import FLAGS, chromium, served

LIGHTHOUSE = "lighthouse@13.5.0"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")


def measured(url: str, npx: str) -> dict[str, Any]:
    """Return the report on a page."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [npx, "--yes", LIGHTHOUSE, url, "--quiet", "--output=json", f"--output-path={report}"]
        flags = f"--chrome-flags=--headless {' '.join(FLAGS)}"
        subprocess.run([*command, flags], check=True, env={**os.environ, "CHROME_PATH": chromium()})
        return dict(json.loads(report.read_text(encoding="utf8")))


def row(report: dict[str, Any]) -> list[str]:
    """Return the figures of a page: four scores, kB over the wire, seconds to the largest paint, layout shift."""
    audits = report["audits"]
    scores = [f"{100 * report['categories'][name]['score']:.0f}" for name in CATEGORIES]
    weight = sum(item["transferSize"] for item in audits["network-requests"]["details"]["items"]) / 1000
    largest = audits["largest-contentful-paint"]["numericValue"] / 1000
    return [*scores, f"{weight:.0f}", f"{largest:.2f}", f"{audits['cumulative-layout-shift']['numericValue']:.3f}"]


def short(report: dict[str, Any]) -> list[str]:
    """Return what keeps a page from 100."""
    audits = report["audits"]
    return [
        f"{name}: {audits[item['id']]['title']} {audits[item['id']].get('displayValue', '')}"
        for name in CATEGORIES
        for item in report["categories"][name]["auditRefs"]
        if item["weight"] and (score := audits[item["id"]]["score"]) is not None and score < 0.9
    ]


def main() -> None:
    """Print a line for each page, and what is short of 100."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="the folder of a built site")
    site = parser.parse_args().site
    if not (npx := shutil.which("npx")):
        sys.exit("lighthouse.py:1: needs npx, which comes with Node")
    pages = sorted(path.parent.relative_to(site).as_posix() for path in site.rglob("index.html"))
    heads = (*CATEGORIES, "kB on the wire", "LCP, s", "CLS")
    print(f"{'page':24}" + "".join(f"{head:>16}" for head in heads))
    with served(site) as address:
        for page in pages:
            report = measured(address + ("" if page == "." else f"{page}/"), npx)
            print(f"{page:24}" + "".join(f"{figure:>16}" for figure in row(report)))
            for line in short(report):
                print(f"    {line}")


if __name__ == "__main__":
    main()
