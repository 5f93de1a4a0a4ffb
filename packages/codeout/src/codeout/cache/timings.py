"""How long sessions took when they last ran, a file each: `HASH-MILLISECONDS.json`, named by session and time.

The newest file of a session counts. So folders of timings merge by copying, in any order.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import msgspec

from codeout.cache.files import read_sealed, write_sealed

MAX_BYTES = 10_000


class Timing(msgspec.Struct, frozen=True):
    """How a session went when it last ran from its first block."""

    seconds: float
    """Wall-clock time, its kernel's start included."""
    checkpoints: int
    """After how many of its first blocks the kernel could be forked."""
    obstacle: str = ""
    """Why it could not after the next one; empty if it always could."""


class _StoredTiming(msgspec.Struct, frozen=True):
    name: str
    timing: Timing


_decoder = msgspec.json.Decoder(_StoredTiming)


class SessionTimings(msgspec.Struct, frozen=True):
    """A folder of timings. Two builds may read and write it at the same time."""

    folder: Path

    def load_all(self) -> dict[str, Timing]:
        """Return the newest timing of each session, by the session's name."""
        return self._load("*")

    def get(self, name: str) -> Timing | None:
        """Return the newest timing of a session; None if there is none."""
        return self._load(_digest(name)).get(name)

    def put(self, name: str, timing: Timing) -> None:
        """Store the timing of a session in place of older ones.

        Raises:
            OSError: the disk is full or read-only.
        """
        new = self.folder / f"{_digest(name)}-{time.time_ns() // 1_000_000}.json"
        write_sealed(new, msgspec.json.encode(_StoredTiming(name, timing)))
        for old in self.folder.glob(f"{_digest(name)}-*.json"):
            if old != new:
                old.unlink(missing_ok=True)

    def _load(self, session: str) -> dict[str, Timing]:
        newest: dict[str, tuple[int, Timing]] = {}
        for path in self.folder.glob(f"{session}-*.json"):
            try:
                stored_timing = read_sealed(path, _decoder, MAX_BYTES)
                milliseconds = int(path.stem.rpartition("-")[2])
            except (OSError, ValueError):
                continue  # torn or foreign
            if stored_timing.name not in newest or newest[stored_timing.name][0] < milliseconds:
                newest[stored_timing.name] = milliseconds, stored_timing.timing
        return {name: timing for name, (_, timing) in newest.items()}


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:20]
