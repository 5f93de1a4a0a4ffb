"""Runs on disk, whole or not at all.

    CACHE/ab/abcd…-0123…-89ef….json  one run: JSON with a checksum, named by its key
    CACHE/images/HASH.png            its pictures, named by their content
    CACHE/times/                     how long sessions took (`timings`)
    CACHE/memo/                      what makes a build quick, and may be lost at any time

There is no index: the files are the cache. What is torn, foreign, too large or of another format is a miss, never a
crash. So folders of runs merge by copying, in any order, if no two of them have run the same session.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import stat
import time
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from codeout.cache.files import TEMPORARY_NAME, list_folder, read_regular_file, read_sealed, seal, write_atomically
from codeout.cache.keys import FORMAT, Key, KeyInputs
from codeout.cache.pictures import PictureFolder, referenced_names
from codeout.model.inputs import Input
from codeout.model.outputs import Run, Scalar

if TYPE_CHECKING:
    from codeout.cache.timings import SessionTimings

MAX_FILE_BYTES = 200_000_000
MAX_PICTURE_BYTES = 400_000_000
MAX_VARIANTS = 8
"""Runs of the same code in the same environment that have read different inputs."""
MAX_WRITE_SECONDS = 3600.0
"""Nothing is still being written after so long."""

PICTURES = "images"
TIMES = "times"
MEMO = "memo"
EXPORTS = f"{MEMO}/exports"

RUN_PATH = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{38}-[0-9a-f]{16}-[0-9a-f]{16}\.json")
"""The path of a run below the folder of its store."""

NonFinite = Literal["nan", "inf", "-inf"]


class StoredRun(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run as its file holds it."""

    format: int
    """Number of the format; another one is a miss."""
    key: str
    name: str
    """Of the block, which stays the same from one edit to the next."""
    inputs: KeyInputs | None
    """What the run was made from, to explain later why it is stale."""
    run: Run
    """The run, with references in place of pictures, and without values that JSON cannot hold."""
    non_finite: Mapping[str, NonFinite] = msgspec.field(default_factory=dict)
    """Those values: infinite numbers, and what is not a number."""

    def entry(self, path: Path) -> Entry | None:
        """Return what the file says about the run, but for its outputs; None if it does not name the inputs."""
        if self.inputs is None:
            return None
        read, date = self.run.inputs, self.run.provenance.date
        return Entry(path=path, key=key_of(path), name=self.name, inputs=self.inputs, read=read, date=date)


class _StoredFormat(msgspec.Struct):
    format: int


_decoder = msgspec.json.Decoder(StoredRun)
_format_decoder = msgspec.json.Decoder(_StoredFormat)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What the file of a run says about it, but for its outputs."""

    path: Path
    key: Key
    name: str
    """Of the block."""
    inputs: KeyInputs
    read: tuple[Input, ...]
    """What it read that the blocks above it had not."""
    date: str
    """When it ran: ISO 8601, UTC."""


class RunStore(msgspec.Struct, frozen=True):
    """A folder of runs. Two builds may read and write it at the same time."""

    root: Path
    max_file_bytes: int = MAX_FILE_BYTES
    """Size of a run's JSON, or of a picture; larger files are a miss."""
    max_picture_bytes: int = MAX_PICTURE_BYTES
    """Size of all pictures of a run, each counted as often as it is shown."""

    @property
    def timings(self) -> SessionTimings:
        """How long sessions took when they last ran."""
        from codeout.cache.timings import SessionTimings  # here: nothing asks where nothing runs

        return SessionTimings(self.root / TIMES)

    @property
    def pictures(self) -> PictureFolder:
        """The pictures of the runs."""
        return PictureFolder(self.root / PICTURES, self.max_file_bytes)

    def get(self, key: Key) -> Run | None:
        """Return the run of a key that has a trace; None if there is none that is whole."""
        try:
            return self.load(self.path_of(key))
        except (OSError, ValueError):
            return None

    def find(self, key: Key) -> list[Path]:
        """Return the files of the runs of a key, whatever they have read, the newest first."""
        folder, dated_names = self.root / key.code[:2], []
        with contextlib.suppress(OSError), os.scandir(folder) as files:
            prefix = f"{key.code}-{key.environment}-"
            dated_names = [(file.stat().st_mtime_ns, file.name) for file in files if file.name.startswith(prefix)]
        return [folder / name for _, name in sorted(dated_names, reverse=True)]

    def load(self, path: Path) -> Run:
        """Return the run in a file, with its pictures.

        Raises:
            OSError: the file, or that of a picture, is not there, not a regular file, or too large.
            ValueError: it is malformed or of another format, or a picture is damaged.
        """
        return self.pictures.fill_in(self.unpack(self.read(path)))

    def read(self, path: Path) -> StoredRun:
        """Return what a file holds, without its pictures.

        Raises:
            OSError: it is not there, not a regular file, or too large.
            ValueError: it is malformed, of another format, or has the key of another run.
        """
        stored_run = read_sealed(path, _decoder, self.max_file_bytes)
        if stored_run.format != FORMAT or stored_run.key != path.stem:
            raise ValueError(f"{path} has another format, or another key than its name says")
        return stored_run

    def unpack(self, stored_run: StoredRun) -> Run:
        """Return a run with references in place of its pictures, which are all there.

        Raises:
            OSError: one of them is not there, or all of them are too large.
            ValueError: one of them is damaged.
        """
        self.pictures.check(stored_run.run, self.max_picture_bytes)
        values = {**stored_run.run.values, **{name: float(text) for name, text in stored_run.non_finite.items()}}
        return msgspec.structs.replace(stored_run.run, values=values)

    def put(self, key: Key, run: Run, inputs: KeyInputs | None = None, name: str = "") -> Run:
        """Store a run under a key with a trace; return it with references in place of its pictures.

        Its inputs and the block's name explain later why it is stale. Of the runs of the same code in the same
        environment, only the newest few are kept.

        Raises:
            OSError: the disk is full or read-only; nothing of the run is stored then.
            ValueError: the run is too large, or has text that is not Unicode or a picture that is not base64.
        """
        non_finite = _non_finite(run.values)
        finite = {name: value for name, value in run.values.items() if name not in non_finite}
        packed_run = self.pictures.save(msgspec.structs.replace(run, values=finite))
        content = msgspec.json.encode(StoredRun(FORMAT, str(key), name, inputs, packed_run, non_finite))
        if len(content) > self.max_file_bytes:
            raise ValueError(f"output is too large: {len(content):,} bytes; the limit is {self.max_file_bytes:,}")
        write_atomically(self.path_of(key), seal(msgspec.json.format(content, indent=1)))
        for old in self.find(key)[MAX_VARIANTS:]:
            old.unlink(missing_ok=True)
        return msgspec.structs.replace(packed_run, values=run.values)

    def count_bytes(self, key: Key) -> int:
        """Return how many bytes a run takes on disk, its pictures included; 0 if it is not there."""
        try:
            content = read_regular_file(self.path_of(key), self.max_file_bytes)
            pictures = [self.root / PICTURES / name for name in referenced_names(content)]
            return len(content) + sum(picture.stat().st_size for picture in pictures)
        except OSError:
            return 0

    def newest_entries(self) -> dict[str, Entry]:
        """Return the newest entry of each block, by the block's name.

        The newest by its own date: folders of runs are copied and merged.
        """
        by_date = sorted(self.entries(), key=lambda entry: (entry.date, entry.path.stat().st_mtime_ns))
        return {entry.name: entry for entry in by_date}

    def newest_runs(self) -> dict[str, Run]:
        """Return the newest run of each block, by the block's name."""
        return {name: run for name, entry in self.newest_entries().items() if (run := self.get(entry.key))}

    def entries(self) -> Iterator[Entry]:
        """Yield the entries of all runs that say what they were made from."""
        yield from filter(None, map(self.entry, self.paths()))

    def entry(self, path: Path) -> Entry | None:
        """Return the entry of the run in a file; None if it is malformed or of another format, or has no inputs."""
        try:
            return self.read(path).entry(path)
        except (OSError, ValueError):
            return None

    def read_format(self, path: Path) -> int:
        """Return the number of the format of a file, which may be another than this version's.

        Raises:
            OSError: there is no such file, it is too large, or is not a regular file.
            ValueError: it is malformed.
        """
        return read_sealed(path, _format_decoder, self.max_file_bytes).format

    def paths(self) -> list[Path]:
        """Return the files of all runs, in the order of their names."""
        files = sorted(self.root.glob("??/*.json"))
        return [path for path in files if RUN_PATH.fullmatch(path.relative_to(self.root).as_posix())]

    def unused(self, codes: Container[str], used_keys: Iterable[str]) -> list[Path]:
        """Return the files of runs that are not needed, in every environment and of every format.

        Needed are the runs whose code is among the first parts of keys. Of those with the code and the environment of
        a used key, only that of the key itself is: the others have read other inputs.

        Raises:
            OSError: a folder of runs cannot be read.
        """
        for folder in (self.root, *self.root.glob("??/")):
            list_folder(folder)  # raises an error where `glob` would take the folder for an empty one
        keys = {*used_keys}
        used_prefixes = {key.rpartition("-")[0] for key in keys}

        def is_needed(name: str) -> bool:
            return name.partition("-")[0] in codes and (name in keys or name.rpartition("-")[0] not in used_prefixes)

        return [path for path in self.paths() if not is_needed(path.stem) and self._is_run(path)]

    def remove_temporary_files(self) -> None:
        """Remove what writers have left that were killed some time ago."""
        paths = [path for name in ("??", PICTURES, TIMES, MEMO, EXPORTS) for path in self.root.glob(f"{name}/*")]
        for path in (path for path in paths if TEMPORARY_NAME.fullmatch(path.name)):
            with contextlib.suppress(OSError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime > MAX_WRITE_SECONDS:
                    path.unlink()

    def clean_pictures(self) -> None:
        """Remove pictures that no run shows, whatever the run's format; what else is in their folder stays.

        Raises:
            OSError: the folder of pictures cannot be read, or a picture cannot be removed.
        """
        used_names: set[str] = set()
        for path in self.root.glob("??/*.json"):
            with contextlib.suppress(OSError):  # what can't be read shows nothing
                used_names |= referenced_names(read_regular_file(path, self.max_file_bytes))
        for path in list_folder(self.root / PICTURES):
            if path.name not in used_names and self.pictures.is_picture(path.name):
                path.unlink(missing_ok=True)

    def path_of(self, key: Key) -> Path:
        """Return the file in which the run of a key is, if it is there."""
        return self.root / key.code[:2] / f"{key}.json"

    def _is_run(self, path: Path) -> bool:
        """Return whether a file was written by `put`, if only by that of another version."""
        try:
            self.read_format(path)
        except (OSError, ValueError):
            return False
        return True


def key_of(path: Path) -> Key:
    """Return the key that is in the name of a run's file."""
    code, environment, trace = (*path.stem.split("-", 2), "", "")[:3]
    return Key(code, environment, trace)


def _non_finite(values: Mapping[str, Scalar]) -> dict[str, NonFinite]:
    """Return the values that JSON cannot hold, as text."""
    floats = {name: value for name, value in values.items() if isinstance(value, float) and not math.isfinite(value)}
    return {name: "nan" if math.isnan(value) else "inf" if value > 0 else "-inf" for name, value in floats.items()}
