"""The folder `data/`: files are verified elsewhere, then moved into it whole, by one process at a time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(os.environ.get("CODEOUT_ROOT") or Path.cwd()) / "data"  # `./data` of a lesson


@contextmanager
def lock() -> Iterator[None]:
    """Let one process at a time fetch data; the next one finds it there."""
    from filelock import FileLock  # installed with torch

    ROOT.mkdir(parents=True, exist_ok=True)
    with FileLock(ROOT / ".lock"):
        yield


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Provide a folder for unverified files, on the same disk as `data/`."""
    ROOT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=ROOT, prefix=".new-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def move_into_place(new: Path, target: Path) -> None:
    """Move a file or folder to its final path, and remove whatever was there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        old = Path(tempfile.mkdtemp(dir=ROOT, prefix=".old-"))
        target.replace(old / target.name)
        shutil.rmtree(old)
    new.replace(target)


def write_json(path: Path, content: object) -> None:
    """Write a JSON file whole or not at all."""
    with temporary_folder() as folder:
        new = folder / path.name
        new.write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf8")
        move_into_place(new, path)


def md5(path: Path) -> str:
    """Return the MD5 of a file, which is what data sets are published with."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamps(folder: Path, names: Iterable[str]) -> dict[str, list[int] | None]:
    """Return size and modification time of files, by name: unchanged stamps save hashing them. None: no such file."""
    return {name: _stamp(folder / name) for name in names}


def _stamp(path: Path) -> list[int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
