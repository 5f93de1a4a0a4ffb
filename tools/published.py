"""Fetch the runs that a published site shows, to compare with.

    python tools/published.py https://NAME.github.io/SITE/ published

The folder has the format of a store. It stays empty if nothing is published there yet.
"""

from __future__ import annotations

import argparse
import io
import sys
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from codeout.publish.accept import PICTURE_PATH, RUN_PATH

NAME = "runs.zip"  # `tools/offline.py` puts it beside the pages
MOST = 200_000_000  # bytes, packed and unpacked


class Unusable(Exception):
    """What is there can't be used; the message says why."""


def fetched(site: str) -> bytes | None:
    """Return the zip of a site's runs; None if there is none.

    Raises:
        Unusable: the site can't be asked, or the zip is too large.
    """
    url = f"{site.rstrip('/')}/{NAME}"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content: bytes = answer.read(MOST + 1)
    except urllib.error.HTTPError as problem:
        if problem.code == 404:
            return None
        raise Unusable(f"{url}:1: {problem}") from problem
    except (OSError, ValueError) as problem:
        raise Unusable(f"{url}:1: {problem}") from problem
    if len(content) > MOST:
        raise Unusable(f"{url}:1: has more than {MOST:,} bytes")
    return content


def unpacked(content: bytes, folder: Path) -> int:
    """Write the JSON and the pictures of a zip to a folder, and return how many there are. Nothing leaves the folder.

    Raises:
        Unusable: it is no zip, is too large, or has other files than those of a store.
    """
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > MOST:
                raise Unusable(f"{NAME}:1: unpacks to more than {MOST:,} bytes")
            for entry in entries:
                if not (RUN_PATH.fullmatch(entry.filename) or PICTURE_PATH.fullmatch(entry.filename)):
                    raise Unusable(f"{NAME}:1: has {entry.filename[:80]!r}, which is no file of a store")
                path = folder / entry.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(entry))
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError, zlib.error) as problem:
        raise Unusable(f"{NAME}:1: {problem}") from problem
    return len(entries)


def main() -> None:
    """Fetch, and say what came."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", help="the address of a published site")
    parser.add_argument("folder", type=Path, help="the folder to write to")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    try:
        content = fetched(given.site)
        files = unpacked(content, given.folder) if content is not None else 0
    except Unusable as problem:
        sys.exit(str(problem))
    print(f"{given.site}: {f'{files} files' if files else 'nothing is published there yet'}", file=sys.stderr)


if __name__ == "__main__":
    main()
