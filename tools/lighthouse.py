"""Print Lighthouse's scores for each page of a built site, with its mobile settings, and the transfer size.

    mkdocs build --strict && python tools/lighthouse.py site

Pages are served compressed, as on GitHub Pages. Needs Node and Chromium; npx downloads Lighthouse. Scores go up to 100.
Performance depends on the machine, so look at it, but do not test for it.
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

from browsing import FLAGS, find_chromium, serve

LIGHTHOUSE = "lighthouse@13.5.0"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")


def run_lighthouse(url: str, npx: str) -> dict[str, Any]:
    """Return Lighthouse's report on a page."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [npx, "--yes", LIGHTHOUSE, url, "--quiet", "--output=json", f"--output-path={report}"]
        flags = f"--chrome-flags=--headless {' '.join(FLAGS)}"
        subprocess.run([*command, flags], check=True, env={**os.environ, "CHROME_PATH": find_chromium()})
        return dict(json.loads(report.read_text(encoding="utf8")))


def figures(report: dict[str, Any]) -> list[str]:
    """Return the figures of a page: scores, size in kB, seconds to the largest paint, ms of blocking, layout shift."""
    audits = report["audits"]
    scores = [f"{100 * report['categories'][name]['score']:.0f}" for name in CATEGORIES]
    size = sum(item["transferSize"] for item in audits["network-requests"]["details"]["items"]) / 1000
    largest = audits["largest-contentful-paint"]["numericValue"] / 1000
    blocking = audits["total-blocking-time"]["numericValue"]
    shift = audits["cumulative-layout-shift"]["numericValue"]
    return [*scores, f"{size:.0f}", f"{largest:.2f}", f"{blocking:.0f}", f"{shift:.3f}"]


def failed_audits(report: dict[str, Any]) -> list[str]:
    """Return the audits that keep a page from a score of 100."""
    audits = report["audits"]
    return [
        f"{name}: {audits[item['id']]['title']} {audits[item['id']].get('displayValue', '')}"
        for name in CATEGORIES
        for item in report["categories"][name]["auditRefs"]
        if item["weight"] and (score := audits[item["id"]]["score"]) is not None and score < 0.9
    ]


def main() -> None:
    """Print the figures of each page, and its failed audits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="the folder of a built site")
    site = parser.parse_args().site
    if not (npx := shutil.which("npx")):
        sys.exit("lighthouse.py:1: npx not found; install Node")
    pages = sorted(path.parent.relative_to(site).as_posix() for path in site.rglob("index.html"))
    columns = (*CATEGORIES, "transfer, kB", "LCP, s", "TBT, ms", "CLS")
    print(f"{'page':24}" + "".join(f"{column:>16}" for column in columns))
    with serve(site) as address:
        for page in pages:
            report = run_lighthouse(address + ("" if page == "." else f"{page}/"), npx)
            print(f"{page:24}" + "".join(f"{figure:>16}" for figure in figures(report)))
            for line in failed_audits(report):
                print(f"    {line}")


if __name__ == "__main__":
    main()
