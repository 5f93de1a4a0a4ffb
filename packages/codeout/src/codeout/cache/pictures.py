"""The pictures of stored runs: each in a file that is named by the digest of its content."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import msgspec

from codeout.cache.files import read_regular_file, write_atomically
from codeout.model.mime import BINARY_TYPES, MIME_TYPES_BY_NAME, is_binary
from codeout.model.outputs import Figure, Output, Run, Value, count_characters

REFERENCE_PREFIX = "file:"
"""Begins what a run has in place of a picture that is in the cache; the name of the file follows. Base64, the other way
in which a run has a picture, has no colon."""
REFERENCE = re.compile(rf'"{REFERENCE_PREFIX}([^"/\\]+)"')
PICTURE_NAME = re.compile(rf"([0-9a-f]{{64}})\.({'|'.join(mime.extension for mime in BINARY_TYPES)})")


class PictureFolder(msgspec.Struct, frozen=True):
    """A folder of pictures. Two builds may read and write it at the same time."""

    PREFIX: ClassVar[str] = REFERENCE_PREFIX
    path: Path
    max_file_bytes: int
    """Size of a picture; larger ones are neither read nor written."""

    def save(self, run: Run) -> Run:
        """Return a run with references in place of its pictures, which are in their files then.

        Raises:
            OSError: the disk is full or read-only.
            ValueError: a picture is too large, or is not base64.
        """
        return _replace_pictures(run, self._save)

    def check(self, run: Run, max_bytes: int) -> None:
        """Check that the pictures to which a run refers are there, and are what they were.

        Each counts towards `max_bytes` as often as the run shows it.

        Raises:
            OSError: a picture is not there or not a regular file, or they are too large.
            ValueError: a picture is damaged, or a reference is not one to a picture of its type.
        """
        bytes_left = max_bytes

        def check(mime: str, reference: str) -> str:
            nonlocal bytes_left
            if not re.fullmatch(rf"{REFERENCE_PREFIX}.*\.{MIME_TYPES_BY_NAME[mime].extension}", reference):
                raise ValueError(f"not a reference to a picture: {reference[:80]}")
            name = reference.removeprefix(REFERENCE_PREFIX)
            bytes_left -= len(self._read(name, min(self.max_file_bytes, bytes_left)))
            return reference

        _replace_pictures(run, check)

    def fill_in(self, run: Run) -> Run:
        """Return a run with its pictures in place of its references.

        Raises:
            OSError: a picture is not there any more.
            ValueError: a picture is damaged.
        """
        return _replace_pictures(run, lambda _, part: base64.b64encode(self.read(part)).decode())

    def path_of(self, part: str) -> Path | None:
        """Return the file of a picture by what a bundle has of it; None if that is base64."""
        name = part.removeprefix(REFERENCE_PREFIX)
        return self.path / name if name != part and PICTURE_NAME.fullmatch(name) else None

    def read(self, part: str) -> bytes:
        """Return the content of a picture by what a bundle has of it.

        Raises:
            OSError: it is not there any more.
            ValueError: it is damaged, or not base64.
        """
        path = self.path_of(part)
        return self._read(path.name, self.max_file_bytes) if path else base64.b64decode(part)

    def count_characters(self, run: Run) -> int:
        """Return how many characters the outputs of a run take, with its pictures in base64."""
        count = count_characters(run)
        for output in run.all_outputs:
            for part in output.data.values() if isinstance(output, Value | Figure) else ():
                if (path := self.path_of(part)) and path.is_file():
                    count += 4 * -(-path.stat().st_size // 3) - len(part)
        return count

    def _save(self, mime: str, data: str) -> str:
        content = self.read(data)
        if len(content) > self.max_file_bytes:
            raise ValueError(f"output is too large: {len(content):,} bytes; the limit is {self.max_file_bytes:,}")
        name = f"{hashlib.sha256(content).hexdigest()}.{MIME_TYPES_BY_NAME[mime].extension}"
        write_atomically(self.path / name, content)  # even if it is there: that one may be damaged
        return REFERENCE_PREFIX + name

    def is_picture(self, name: str) -> bool:
        """Return whether a file has the name of its content, so that it was written by `save`."""
        try:
            self._read(name, self.max_file_bytes)
        except (OSError, ValueError):
            return False
        return True

    def _read(self, name: str, max_bytes: int) -> bytes:
        match = PICTURE_NAME.fullmatch(name)
        if match is None:
            raise ValueError(f"not the name of a picture: {name[:80]}")
        content = read_regular_file(self.path / name, max_bytes)
        if hashlib.sha256(content).hexdigest() != match[1]:
            raise ValueError(f"{name} is damaged: its content has another digest")
        return content


def referenced_names(content: bytes) -> set[str]:
    """Return the names of the pictures that a run's JSON refers to, whatever the run's format."""
    return set(REFERENCE.findall(content.decode("utf8", "replace")))


def _replace_pictures(run: Run, replace: Callable[[str, str], str]) -> Run:
    def replace_output(output: Output) -> Output:
        if not isinstance(output, Value | Figure):
            return output
        parts = {mime: replace(mime, part) if is_binary(mime) else part for mime, part in output.data.items()}
        return msgspec.structs.replace(output, data=parts)

    return run.map_outputs(replace_output)
