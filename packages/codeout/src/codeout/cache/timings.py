"""How long sessions took when they last ran, a file each: `HASH-MILLISECONDS.json`, named by session and time.

The newest file of a session counts. So folders of timings merge by copying, in any order.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from pathlib import Path

import msgspec

from codeout.cache.files import load_memo, read_sealed, save_memo, write_sealed
from codeout.config import Config

MAX_BYTES = 10_000
BASE_FILE = "base.json"


class Timing(msgspec.Struct, frozen=True):
    """How a session went when it last ran from its first block."""

    seconds: float
    """Wall-clock time, its kernel's start included."""
    checkpoints: int
    """After how many of its first blocks the kernel could be forked."""
    obstacle: str = ""
    """Why it could not after the next one; empty if it always could."""


class BaseSize(msgspec.Struct, frozen=True):
    """How large the processes were from which kernels were forked, when they were last used."""

    processes: int
    memory: int
    """Bytes of all of them together, those that kernels have in common with them counted in part."""

    def __str__(self) -> str:
        return f"base: {self.processes} processes, {self.memory / 1e6:.0f} MB when they were last used"


class _StoredTiming(msgspec.Struct, frozen=True):
    name: str
    timing: Timing


_decoder = msgspec.json.Decoder(_StoredTiming)
_size_decoder = msgspec.json.Decoder(BaseSize)


class SessionTimings(msgspec.Struct, frozen=True):
    """A folder of timings. Two builds may read and write it at the same time."""

    folder: Path

    def get(self, name: str) -> Timing | None:
        """Return the newest timing of a session; None if there is none."""
        return self.load_all(_digest(name)).get(name)

    def load_all(self, digest: str = "*") -> dict[str, Timing]:
        """Return the newest timing of each session, by the session's name."""
        dated_timings = []
        for path in self.folder.glob(f"{digest}-*.json"):
            with contextlib.suppress(OSError, ValueError):  # torn or foreign
                stored_timing = read_sealed(path, _decoder, MAX_BYTES)
                dated_timings.append((int(path.stem.rpartition("-")[2]), stored_timing))
        by_date = sorted(dated_timings, key=lambda dated: dated[0])
        return {stored_timing.name: stored_timing.timing for _, stored_timing in by_date}

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


def load_base_size(config: Config) -> BaseSize | None:
    """Return how large the base of a site was; None if it has had none yet."""
    return load_memo(config.memo / BASE_FILE, _size_decoder)


def save_base_size(config: Config, size: BaseSize) -> None:
    """Store how large the base of a site is."""
    save_memo(config.memo / BASE_FILE, size)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:20]
