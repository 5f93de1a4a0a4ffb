"""What a file or folder is at this moment. Both sides use it: a supervisor when a block reads, the build to compare.

Paths are text here and not `Path`: it is asked for thousands of files.
"""

from __future__ import annotations

import os
import stat
import time

RAW = "<bytes>"
"""Before a name that is not UTF-8."""
RECENT = 100_000_000
"""Nanoseconds: a file that was changed so recently may change again without a new modification time."""
Status = tuple[int, int, int, int]
"""Of a regular file: size, modification time in ns, inode, change time in ns."""
Identity = tuple[int, ...] | None
"""Mode, size, modification time in ns, inode and change time in ns; None of nothing."""


def status_of(path: str) -> Status | None:
    """Return the status of a regular file; None if there is none."""
    status = _stat(path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns


def describe_path(path: str) -> str:
    """Return what a path leads to; an empty string if to nothing."""
    status = _stat(path)
    return "" if status is None else describe_status(status.st_mode, status.st_size)


def describe_status(mode: int, size: int) -> str:
    """Return what something is in words: of a file its size, and whether it is a program."""
    if stat.S_ISREG(mode):
        return f"{size} bytes" + (", executable" if mode & 0o111 else "")
    return "folder" if stat.S_ISDIR(mode) else "special"


def identify(path: str) -> Identity:
    """Return what tells a path's state from another, a link's own; None if nothing is there."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    return status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns


def interpreter_of(path: str) -> str:
    """Return the path in the first line of a script; an empty string if it is none."""
    try:
        with open(path, "rb") as file:
            line = file.readline(4_096)
    except OSError:
        return ""
    return os.fsdecode((line[2:].split() or [b""])[0]) if line.startswith(b"#!") else ""


def source_of(path: str) -> str:
    """Return the module of which a file is the bytecode, which is as good as its source; else the path itself."""
    folder, name = os.path.split(path)
    if name.endswith(".pyc") and os.path.basename(folder) == "__pycache__":
        return os.path.join(os.path.dirname(folder), name.partition(".")[0] + ".py")
    return path


def is_recent(status: Status) -> bool:
    """Return whether a file was changed so recently that its status does not tell one content from the next."""
    return time.time_ns() - status[1] < RECENT


def digest_file(path: str) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    import hashlib  # here: a kernel rarely needs it

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_names(folder: str, hidden_name: str = "") -> str:
    """Return a digest of a list of a folder, but for a hidden name; an empty string if it cannot be listed.

    A list tells what each name is as well: a folder, a link, something else.
    """
    try:
        with os.scandir(folder) as entries:
            listed = [f"{entry.name}{_mark(entry)}" for entry in entries if entry.name != hidden_name]
    except OSError:
        return ""
    return digest_text("\0".join(sorted(listed)))


def _mark(entry: os.DirEntry[str]) -> str:
    return "@" if entry.is_symlink() else "/" if entry.is_dir(follow_symlinks=False) else ""


def encode_name(path: str) -> str:
    """Return a path as JSON can hold it: one that is not UTF-8 with escapes, as in a URL, behind a mark."""
    try:
        path.encode()
    except UnicodeEncodeError:
        from urllib.parse import quote_from_bytes

        return RAW + quote_from_bytes(os.fsencode(path))
    return path


def decode_name(name: str) -> str:
    """Return the path that `encode_name` has made a name of."""
    if not name.startswith(RAW):
        return name
    from urllib.parse import unquote_to_bytes

    return os.fsdecode(unquote_to_bytes(name[len(RAW) :]))


def digest_text(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal."""
    import hashlib

    return hashlib.sha256(text.encode("utf8", "surrogateescape")).hexdigest()


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None
