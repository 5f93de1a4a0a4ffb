"""Add two zips to a built site: the whole site to read from files, search included, and its runs.

    mkdocs build --strict && python tools/offline.py site      takes a second if nothing has to run

The zips are `offline.zip` and `runs.zip`. `tools/published.py` fetches the second one, so that a change can be compared
with what is published. The bytes of a zip depend only on the files in it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

FOLDER = "deep-learning-with-pytorch"  # that offline.zip unpacks to


def build_offline_site(folder: Path) -> None:
    """Build the site so that it works when opened from files.

    Raises:
        subprocess.CalledProcessError: the build failed and has printed why.
    """
    environment = {**os.environ, "OFFLINE": "true", "OFFLINE_ZIP": "false"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    subprocess.run(command, check=True, env=environment)


def write_zip(folder: Path, file: Path, patterns: Iterable[str] = ("*",), prefix: str = "") -> None:
    """Write the files of a folder to a zip, sorted by name and without times.

    Args:
        folder: the folder.
        file: the zip.
        patterns: what belongs into the zip.
        prefix: the folder that it unpacks to.
    """
    tops = [top for pattern in patterns for top in folder.glob(pattern)]
    paths = {path for top in tops for path in (top, *top.rglob("*")) if path.is_file()}
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for path in sorted(paths):
            entry = ZipInfo((Path(prefix) / path.relative_to(folder)).as_posix())
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), ZIP_DEFLATED)


def main() -> None:
    """Build the site again for offline use, and write both zips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="the folder of the built site")
    site = parser.parse_args().site
    if not (site / "index.html").is_file():
        sys.exit(f"{site}:1: no built site; run `mkdocs build --strict` first")
    with tempfile.TemporaryDirectory() as folder:
        build_offline_site(Path(folder))
        write_zip(Path(folder), site / "offline.zip", prefix=FOLDER)
    write_zip(Path(".codeout"), site / "runs.zip", patterns=("??", "images"))
    for file in (site / "offline.zip", site / "runs.zip"):
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
