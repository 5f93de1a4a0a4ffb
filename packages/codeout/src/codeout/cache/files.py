"""Files that are written whole or not at all, and read only if they are regular and not too large."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")

MAX_MEMO_BYTES = 200_000_000

TEMPORARY_PREFIX = ".new-"
TEMPORARY_NAME = re.compile(rf"{re.escape(TEMPORARY_PREFIX)}[a-z0-9_]{{8}}")
"""As `tempfile.mkstemp` completes the prefix."""
_READ_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))


def write_atomically(path: Path, content: bytes) -> None:
    """Put a file in place in one step, so that a reader finds all of it or none.

    Raises:
        OSError: the disk is full or read-only; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY_PREFIX)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def list_folder(folder: Path) -> list[Path]:
    """Return what is in a folder, which is nothing if there is no such folder.

    Raises:
        OSError: it may not be read, or is not a folder.
    """
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file, never following a symbolic link, waiting for a pipe or reading a device.

    Raises:
        OSError: it is not there, not a regular file, or larger than `max_bytes`.
    """
    if os.name == "nt" and path.is_symlink():  # it has no O_NOFOLLOW
        raise OSError(f"{path} is a symbolic link")
    with open(path, "rb", opener=lambda name, _: os.open(name, _READ_FLAGS)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is not a regular file")
        if status.st_size > max_bytes:
            raise OSError(f"{path} is too large: {status.st_size:,} bytes; the limit is {max_bytes:,}")
        return file.read(status.st_size)


def read_json(path: Path, decoder: msgspec.json.Decoder[T], max_bytes: int) -> T:
    """Return what a JSON file holds.

    Raises:
        OSError: it is not there, not a regular file, or larger than `max_bytes`.
        ValueError: it is not JSON, or not of the decoder's type.
    """
    return _decode(path, read_regular_file(path, max_bytes), decoder)


def load_memo(path: Path, decoder: msgspec.json.Decoder[T]) -> T | None:
    """Return what a file with a checksum holds that may be lost at any time; None if it is not there or damaged."""
    try:
        return read_sealed(path, decoder, MAX_MEMO_BYTES)
    except (OSError, ValueError):
        return None


def save_memo(path: Path, content: msgspec.Struct) -> None:
    """Write such a file, unless the disk is full or read-only."""
    with contextlib.suppress(OSError):  # storing the next run fails, too, and reports it
        write_sealed(path, msgspec.json.encode(content))


def _decode(path: Path, content: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(content)
    except (msgspec.DecodeError, RecursionError) as problem:
        raise ValueError(f"{path}: {problem}") from problem


class _SealedFile(msgspec.Struct):
    checksum: str
    """SHA-256 of the content as it is in the file, hexadecimal."""
    content: msgspec.Raw


_sealed_decoder = msgspec.json.Decoder(_SealedFile)


def write_sealed(path: Path, content: bytes) -> None:
    """Put a JSON file with a checksum in place in one step.

    Raises:
        OSError: the disk is full or read-only; what was there stays.
    """
    write_atomically(path, seal(content))


def seal(content: bytes) -> bytes:
    """Return JSON with a checksum."""
    checksum = hashlib.sha256(content).hexdigest().encode()
    return b'{"checksum": "' + checksum + b'", "content": ' + content + b"}\n"


def read_sealed(path: Path, decoder: msgspec.json.Decoder[T], max_bytes: int) -> T:
    """Return what a JSON file with a checksum holds.

    Raises:
        OSError: it is not there, not a regular file, or larger than `max_bytes`.
        ValueError: it is damaged, or not of the decoder's type.
    """
    file = read_json(path, _sealed_decoder, max_bytes)
    if hashlib.sha256(file.content).hexdigest() != file.checksum:
        raise ValueError(f"{path} is damaged: its content has another checksum")
    return _decode(path, bytes(file.content), decoder)
