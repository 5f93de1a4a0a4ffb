"""Runs from devices that this machine does not have, to show with its own.

A folder of recordings has the format of a cache, but nothing in it is trusted: a recording is validated whenever it is
read. It belongs to a block if it is of the same code, and is shown if it differs from the block's own run by more than
noise.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from codeout.cache.keys import FORMAT, Key
from codeout.cache.lookup import Lookup
from codeout.cache.store import Entry, RunStore, key_of
from codeout.model.blocks import Block
from codeout.model.outputs import Provenance, Run
from codeout.recordings.limits import InvalidRecording, require

MAX_FILE_BYTES = 4_000_000
MAX_PICTURE_BYTES = 20_000_000
MAX_PER_BLOCK = 20
"""Recordings of the same code that are read; there is one for each device."""
ENVIRONMENT_WORD = re.compile(r"[\w .,:;+/()@=-]{0,200}", re.ASCII)


class Recording(msgspec.Struct, frozen=True):
    """A run from another machine that has been validated."""

    entry: Entry
    run: Run
    """The run, without what a page may not show."""
    left_out: tuple[str, ...]
    """MIME types of what was left out of its outputs."""


def recordings_in(folder: Path) -> RunStore:
    """Return a folder of recordings as a store of runs, with the limits for files that are not trusted."""
    return RunStore(folder, MAX_FILE_BYTES, MAX_PICTURE_BYTES)


def read_recording(store: RunStore, path: Path) -> Recording:
    """Read and validate the recording in a file.

    Raises:
        InvalidRecording: the file is not a recording, or is one that may not be shown.
        CodeoutError: the recording has raster images, and Pillow is not installed.
    """
    from codeout.recordings.validate import left_out, validate  # here, since most sites have no recordings

    try:
        is_current = store.read_format(path) == FORMAT
        require(is_current, f"made by another version of codeout; expected format {FORMAT}")
        stored_run = store.read(path)
        run = store.pictures.fill_in(store.unpack(stored_run))
    except (OSError, ValueError) as problem:
        raise InvalidRecording("incomplete, or does not match its file name") from problem
    entry = stored_run.entry(path)
    if entry is None or entry.inputs.key != msgspec.structs.replace(entry.key, trace=""):
        raise InvalidRecording("its key does not match the inputs that it lists")
    _check_inputs(entry, run.provenance)
    return Recording(entry, validate(run, datetime.now(UTC)), tuple(sorted(left_out(run))))


def _check_inputs(entry: Entry, provenance: Provenance) -> None:
    """Check that the inputs of a run are plain words, and that what a reader sees of them is what its key covers."""
    environment = entry.inputs.environment
    pairs = [*environment.packages, *environment.variables]
    words = [environment.python, environment.platform, environment.device, *(word for pair in pairs for word in pair)]
    require(all(map(ENVIRONMENT_WORD.fullmatch, words)), "invalid environment")
    is_same = (provenance.device, provenance.python) == (environment.device, environment.python)
    require(is_same, "its device or Python version does not match its key")
    require({*provenance.packages} <= {*environment.packages}, "its package versions do not match its key")
    require(entry.key.code.startswith(provenance.code_digest), "its code digest does not match its key")


class Recordings:
    """The recordings of a site, as of the last `refresh`."""

    def __init__(self, lookup: Lookup) -> None:
        self.store = recordings_in(lookup.config.path(lookup.config.recordings))
        self._lookup = lookup
        self._paths: dict[str, list[Path]] = {}  # by the digest of the code

    def refresh(self) -> None:
        """Look which files there are now."""
        paths: dict[str, list[Path]] = {}
        for path in self.store.paths():
            paths.setdefault(key_of(path).code, []).append(path)
        self._paths = paths  # at once, since a page may be shown by another thread

    def entries(self) -> Iterator[Entry]:
        """Yield the entries of all valid recordings."""
        for paths in self._paths.values():
            yield from (recording.entry for recording in self._valid(paths))

    def find(self, code: str, is_current: Callable[[Run], bool]) -> list[Run]:
        """Return the recordings of a code digest: the newest of each device, in the order of the devices' names.

        Current is a run if what it has read in the site's folder is still what it was.
        """
        runs = [recording.run for recording in self._valid(self._paths.get(code, []))]
        by_date = sorted(filter(is_current, runs), key=lambda run: run.provenance.date)
        newest = {run.provenance.device: run for run in by_date}
        return [newest[device] for device in sorted(newest)]

    def for_block(self, block: Block, key: Key, run: Run) -> tuple[Run, ...]:
        """Return the recordings to show with the run of a block: of other devices, where they differ from it."""
        if key.code not in self._paths:
            return ()
        from codeout.compare.runs import differ  # here, since most blocks have none

        recordings = self.find(key.code, lambda recording: self._lookup.is_current(block, recording))
        others = [other for other in recordings if other.provenance.device != run.provenance.device]
        own = self._lookup.cache.pictures.fill_in(run) if others else run
        return tuple(other for other in others if differ(own, other))

    def _valid(self, paths: Sequence[Path]) -> Iterator[Recording]:
        for path in paths[:MAX_PER_BLOCK]:
            with contextlib.suppress(InvalidRecording):  # `codeout accept` says why
                yield read_recording(self.store, path)


def label(run: Run, runs: Sequence[Run]) -> str:
    """Return a short name for the device of one of the runs that are shown of a block."""
    kinds = ["CPU" if each.provenance.device == "CPU" else "GPU" for each in (run, *runs)]
    return kinds[0] if kinds[1:].count(kinds[0]) == 1 else run.provenance.device
