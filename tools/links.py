"""Ask every address that the pages of a built site link to, whether it is there.

    mkdocs build --strict && python tools/links.py site

Exit code 1: one is gone. An address that can't be asked now (a time-out, too many requests) is told, and no reason to
fail. Links within the site are MkDocs' own business: `--strict` checks them.
"""

from __future__ import annotations

import argparse
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

GONE = (404, 410)
AGENT = "Mozilla/5.0 (a link checker)"  # some hosts refuse Python's own name


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") or ""
        if tag == "a" and href.startswith(("http://", "https://")):
            self.found.add(href.partition("#")[0])


def links(site: Path) -> dict[str, str]:
    """Return the addresses outside of a site that its pages link to, with a page that does."""
    found: dict[str, str] = {}
    for page in sorted(site.rglob("*.html")):
        parser = _Links()
        parser.feed(page.read_text(encoding="utf8"))
        found |= {url: page.relative_to(site).as_posix() for url in parser.found - found.keys()}
    return found


def problem(url: str) -> tuple[bool, str]:
    """Return whether an address is gone, and in words what is wrong with it; no words if nothing is."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"User-Agent": AGENT}), timeout=30):
            return False, ""
    except urllib.error.HTTPError as answer:
        return answer.code in GONE, f"{answer.code} {answer.reason}"
    except (OSError, ValueError) as trouble:
        return False, str(trouble)


def checked(found: dict[str, str], leave: Iterable[str] = ()) -> list[str]:
    """Print what is wrong with addresses; return those that are gone.

    Args:
        found: addresses, each with a page that links to it.
        leave: beginnings of addresses that are not asked: the site's own, which is not there before it is published.
    """
    urls = [url for url in found if not url.startswith(tuple(leave))]
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(urls, pool.map(problem, urls), strict=True))
    for url, (gone, words) in answers.items():
        if words:
            print(f"{found[url]}:1: {url}: {words}{'' if gone else ' (could not be asked)'}")
    print(f"{len(urls)} addresses, {sum(gone for gone, _ in answers.values())} gone")
    return [url for url, (gone, _) in answers.items() if gone]


def main() -> None:
    """Check a site."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="the folder of a built site")
    parser.add_argument("--leave", nargs="*", default=[], metavar="URL", help="beginnings of addresses not to ask")
    given = parser.parse_args()
    if not any(given.site.rglob("*.html")):
        sys.exit(f"{given.site}:1: no built site; run `mkdocs build` first")
    sys.exit(bool(checked(links(given.site), given.leave)))


if __name__ == "__main__":
    main()
