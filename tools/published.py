"""Download the runs of a published site, to compare with them.

    python tools/published.py published
    python tools/published.py published --address https://example.org/site/

Without an address, GitHub is asked for that of this repository. The folder has the format of a cache. It stays empty if
nothing has been published yet.
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

import doctor
from codeout.cache.store import RUN_PATH
from codeout.recordings.accept import PICTURE_PATH

NAME = "runs.zip"  # `tools/offline.py` writes it
MAX_BYTES = 200_000_000  # of the zip, and of what is in it


class UnusableRuns(Exception):
    """The runs cannot be downloaded or used; the message says why."""


def download(site: str) -> bytes | None:
    """Return the zip of a site's runs; None if there is none.

    Raises:
        UnusableRuns: the site does not answer, or the zip is too large.
    """
    url = f"{site.rstrip('/')}/{NAME}"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content: bytes = answer.read(MAX_BYTES + 1)
    except urllib.error.HTTPError as answer:
        answer.close()
        if answer.code == 404:
            return None
        raise UnusableRuns(f"{url}:1: {answer}") from answer
    except (OSError, ValueError) as error:
        raise UnusableRuns(f"{url}:1: {error}") from error
    if len(content) > MAX_BYTES:
        raise UnusableRuns(f"{url}:1: larger than {MAX_BYTES:,} bytes")
    return content


def unpack(content: bytes, folder: Path) -> int:
    """Write the runs and pictures in a zip to a folder, and nothing outside of it; return how many there are.

    Raises:
        UnusableRuns: it is not a zip, is too large, or has files that a cache does not have.
    """
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > MAX_BYTES:
                raise UnusableRuns(f"{NAME}:1: unpacks to more than {MAX_BYTES:,} bytes")
            for entry in entries:
                if not (RUN_PATH.fullmatch(entry.filename) or PICTURE_PATH.fullmatch(entry.filename)):
                    raise UnusableRuns(f"{NAME}:1: unexpected file {entry.filename[:80]!r}")
                path = folder / entry.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(entry))
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError, zlib.error) as error:
        raise UnusableRuns(f"{NAME}:1: {error}") from error
    return len(entries)


def main() -> None:
    """Download and unpack the runs of a site."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder to write to")
    parser.add_argument("--address", help="of the site")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        site = options.address or doctor.address(f"repos/{doctor.repository()}")
        content = download(site)
        count = unpack(content, options.folder) if content is not None else 0
    except doctor.PagesOff as error:
        site, count = str(error), 0
    except (doctor.Unreadable, UnusableRuns) as error:
        sys.exit(str(error))
    print(f"{site}: {f'{count} files' if count else 'nothing has been published yet'}", file=sys.stderr)


if __name__ == "__main__":
    main()
