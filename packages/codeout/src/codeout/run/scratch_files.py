"""The files of blocks, in the folder where they work: how large they are, copying them, and putting a copy back."""

from __future__ import annotations

import shutil
from pathlib import Path


def size_of_files(folder: Path) -> int:
    """Return how many bytes the files take.

    Raises:
        OSError: a process that a block has left running removes files meanwhile.
    """
    entries = [path for path in folder.iterdir() if not path.is_symlink()]
    files = [path for entry in entries for path in (entry.rglob("*") if entry.is_dir() else (entry,))]
    return sum(path.lstat().st_size for path in files)


def copy_files(folder: Path, target: Path) -> None:
    """Copy the files; links stay links.

    Raises:
        OSError: a block has created a pipe, or files vanish meanwhile.
    """
    shutil.copytree(folder, target, symlinks=True)


def restore_files(files: Path, folder: Path) -> None:
    """Put a copy back; the folder itself stays, since processes work in it.

    Raises:
        OSError: it cannot be done.
    """
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        else:
            shutil.rmtree(path)
    shutil.copytree(files, folder, symlinks=True, dirs_exist_ok=True)
