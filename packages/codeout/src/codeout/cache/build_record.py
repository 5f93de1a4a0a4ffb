"""What the last build used: its pages, their blocks and the keys of their runs, in a file beside the cache.

Commands that must not remove anything the site needs read it, and so do commands on machines without a generator.
"""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec

from codeout.cache.files import load_memo, save_memo, seal
from codeout.config import Config
from codeout.model.blocks import Block

FORMAT = 2
NAME = "build.json"


class RecordedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the last build."""

    path: str
    """Relative to the folder of the configuration file."""
    text: str
    """The Markdown that was converted, with everything that it includes."""
    blocks: tuple[Block, ...]
    keys: tuple[str, ...]
    """The cache key of each."""


class BuildRecord(msgspec.Struct, frozen=True):
    """What the last build used."""

    url: str
    """The address of the site; empty if unknown."""
    options: dict[str, Any]
    """The engine's options, as the configuration file has them."""
    pages: tuple[RecordedPage, ...]
    """All pages with blocks."""
    format: int = FORMAT


_decoder = msgspec.json.Decoder(BuildRecord)


def write_record(config: Config, record: BuildRecord) -> None:
    """Write down what a build used; not if that is on disk already, or the disk is full or read-only."""
    path = config.memo / NAME
    with contextlib.suppress(OSError):  # it is not there
        if path.read_bytes() == seal(msgspec.json.encode(record)):
            return
    save_memo(path, record)


def read_record(config: Config) -> BuildRecord | None:
    """Return what the last build used; None if that is not known."""
    record = load_memo(config.memo / NAME, _decoder)
    return record if record and record.format == FORMAT else None


def find_recorded_cache(config: Config) -> Config:
    """Return settings with the cache that the last build of a site used, if it is one of the folders below its root."""
    records = [path for path in config.root.glob("*/memo/" + NAME) if path.is_file()]
    newest = max(records, key=lambda path: path.stat().st_mtime, default=config.memo / NAME)
    return msgspec.structs.replace(config, cache=newest.parent.parent.name)
