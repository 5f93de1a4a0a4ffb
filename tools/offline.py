"""Put the whole site as a zip beside its pages: unpacked, it opens from a file, search included. And its runs.

    mkdocs build --strict && python tools/offline.py site      a second, if nothing has to run

The zips are `offline.zip` and `runs.zip`; whoever wants to know what a change would change compares with the second one
(`tools/published.py`). Their bytes depend on what is in them alone.
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

NAME = "deep-learning-with-pytorch"  # of the folder that it unpacks to


def built(folder: Path) -> None:
    """Build the site to be opened from files.

    Raises:
        subprocess.CalledProcessError: the build fails; it has said why.
    """
    environment = {**os.environ, "OFFLINE": "true", "OFFLINE_ZIP": "false"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    subprocess.run(command, check=True, env=environment)


def packed(folder: Path, file: Path, parts: Iterable[str] = ("*",), name: str = "") -> None:
    """Write the files of a folder to a zip, in the order of their names and without times.

    Args:
        folder: it.
        file: the zip.
        parts: patterns of what belongs into it.
        name: of the folder that it unpacks to.
    """
    found = {path for part in parts for top in folder.glob(part) for path in (top, *top.rglob("*")) if path.is_file()}
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for path in sorted(found):
            entry = ZipInfo((Path(name) / path.relative_to(folder)).as_posix())
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), ZIP_DEFLATED)


def main() -> None:
    """Build, pack, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="the folder of the built site")
    site = parser.parse_args().site
    if not (site / "index.html").is_file():
        sys.exit(f"{site}:1: no built site; run `mkdocs build --strict` first")
    with tempfile.TemporaryDirectory() as folder:
        built(Path(folder))
        packed(Path(folder), site / "offline.zip", name=NAME)
    packed(Path(".codeout"), site / "runs.zip", parts=("??", "images"))
    for file in (site / "offline.zip", site / "runs.zip"):
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
