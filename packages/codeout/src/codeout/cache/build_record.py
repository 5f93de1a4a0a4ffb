"""What the last build used: its pages, their blocks and the keys of their runs, in a file beside the cache.

Commands that must not remove anything the site needs read it, and so do commands on machines without a generator.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from codeout.cache.files import read_sealed, seal, write_sealed
from codeout.config import Config
from codeout.model.blocks import Block

FORMAT = 2
MAX_BYTES = 200_000_000
NAME = "build.json"


class RecordedPage(msgspec.Struct, frozen=True):
    """A page of the last build."""

    path: str
    """Relative to the folder of the configuration file."""
    text: str
    """The Markdown that was converted, with everything that it includes."""
    blocks: tuple[Block, ...]
    """The blocks that it shows."""
    keys: tuple[str, ...]
    """The cache key of each."""


class BuildRecord(msgspec.Struct, frozen=True):
    """What the last build used."""

    format: int
    """The format of this file."""
    url: str
    """The address of the site; empty if unknown."""
    options: dict[str, Any]
    """The engine's options, as the configuration file has them."""
    pages: tuple[RecordedPage, ...]
    """All pages with blocks."""

    @classmethod
    def from_pages(
        cls,
        options: dict[str, Any],
        url: str | None,
        pages: Iterable[tuple[str, str, Sequence[tuple[Block, str]]]],
    ) -> BuildRecord:
        """Return the record of a build.

        Args:
            options: the engine's options, as the configuration file has them.
            url: the address of the site.
            pages: the path, the text, and the blocks with their keys, of each.
        """
        recorded_pages = [
            RecordedPage(path, text, tuple(block for block, _ in blocks), tuple(key for _, key in blocks))
            for path, text, blocks in pages
            if blocks
        ]
        return cls(FORMAT, url or "", options, tuple(recorded_pages))


_decoder = msgspec.json.Decoder(BuildRecord)


def write_record(config: Config, record: BuildRecord) -> None:
    """Write down what a build used; not if that is on disk already, or the disk is full or read-only."""
    path, content = _path(config), msgspec.json.encode(record)
    try:
        if not path.is_file() or path.read_bytes() != seal(content):
            write_sealed(path, content)
    except OSError:
        return  # the cache of runs logs it


def read_record(config: Config) -> BuildRecord | None:
    """Return what the last build used; None if that is not known."""
    try:
        record = read_sealed(_path(config), _decoder, MAX_BYTES)
    except (OSError, ValueError):
        return None
    return record if record.format == FORMAT else None


def find_recorded_cache(config: Config) -> Config:
    """Return settings with the cache that the last build of a site used, if it is one of the folders below its root."""
    records = [path for path in config.root.glob("*/memo/" + NAME) if path.is_file()]
    newest = max(records, key=lambda path: path.stat().st_mtime, default=_path(config))
    return msgspec.structs.replace(config, cache=newest.parent.parent.name)


def _path(config: Config) -> Path:
    return config.memo / NAME
