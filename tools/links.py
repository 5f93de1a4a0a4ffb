"""Check that every external address that the pages of a built site link to still exists.

    mkdocs build --strict && python tools/links.py site

Exits with 1 if one does not. An address that cannot be checked now (a time-out, too many requests) is printed, and does
not count. `mkdocs build --strict` checks the links within the site.
"""

from __future__ import annotations

import argparse
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

GONE = (404, 410)
USER_AGENT = "Mozilla/5.0 (a link checker)"  # some hosts refuse Python's own name


@dataclass(frozen=True)
class Problem:
    """What is wrong with an address."""

    message: str
    is_gone: bool
    """Whether the host says that the page does not exist; otherwise the address could not be checked."""


class _LinkParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.urls: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") or ""
        if tag == "a" and href.startswith(("http://", "https://")):
            self.urls.add(href.partition("#")[0])


def external_links(site: Path) -> dict[str, str]:
    """Return the external addresses that the pages of a site link to, each with one of those pages."""
    pages: dict[str, str] = {}
    for page in sorted(site.rglob("*.html")):
        parser = _LinkParser()
        parser.feed(page.read_text(encoding="utf8"))
        pages |= {url: page.relative_to(site).as_posix() for url in parser.urls - pages.keys()}
    return pages


def check_link(url: str) -> Problem | None:
    """Request an address, and return what is wrong with it; None if nothing is."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"User-Agent": USER_AGENT}), timeout=30):
            return None
    except urllib.error.HTTPError as answer:
        answer.close()
        return Problem(f"{answer.code} {answer.reason}", answer.code in GONE)
    except (OSError, ValueError) as error:
        return Problem(str(error), is_gone=False)


def find_broken_links(pages: Mapping[str, str], skip: Iterable[str] = ()) -> list[str]:
    """Print what is wrong with addresses, and return those that are gone.

    Args:
        pages: addresses, each with a page that links to it.
        skip: prefixes of addresses that are not checked: the site's own is not there before it is published.
    """
    urls = [url for url in pages if not url.startswith(tuple(skip))]
    with ThreadPoolExecutor(8) as pool:
        problems = {url: problem for url, problem in zip(urls, pool.map(check_link, urls), strict=True) if problem}
    for url, problem in problems.items():
        print(f"{pages[url]}:1: {url}: {problem.message}{'' if problem.is_gone else ' (could not be checked)'}")
    gone = [url for url, problem in problems.items() if problem.is_gone]
    print(f"{len(urls)} addresses, {len(gone)} gone")
    return gone


def main() -> None:
    """Check a site."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="the folder of a built site")
    parser.add_argument("--skip", nargs="*", default=[], metavar="URL", help="prefixes of addresses not to check")
    options = parser.parse_args()
    if not any(options.site.rglob("*.html")):
        sys.exit(f"{options.site}:1: no built site; run `mkdocs build` first")
    sys.exit(bool(find_broken_links(external_links(options.site), options.skip)))


if __name__ == "__main__":
    main()
