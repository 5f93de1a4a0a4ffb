"""Runs from another machine as recordings: each is read as data, validated, compared with the site, and written anew.

Nothing is copied. A run is accepted if a page has its code now, if its key is the digest of the inputs that it names,
and if it shows text or pictures that cannot act. Its HTML, Markdown and LaTeX are left out: a page would trust them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from codeout.cache import environment
from codeout.cache.environment import declared_sources, known_sources
from codeout.cache.keys import Key, KeyInputs, add_trace
from codeout.cache.lookup import Lookup
from codeout.cache.pictures import PICTURE_NAME
from codeout.cache.store import MEMO, PICTURES, RUN_PATH, TIMES, Entry, RunStore
from codeout.errors import PageError
from codeout.model.blocks import Block, group_sessions, select_blocks
from codeout.model.expectations import has_unexpected_error, is_missing_error
from codeout.model.inputs import Input
from codeout.model.outputs import Run, Source
from codeout.recordings.limits import InvalidRecording, require
from codeout.recordings.read import MAX_FILE_BYTES, Recording, read_recording, recordings_in
from codeout.recordings.validate import shared_inputs

MAX_FILES = 20_000
MAX_BYTES = 100_000_000
"""Of all files together."""
MAX_PROBLEMS = 20
"""That a message lists; it counts the others."""

PICTURE_PATH = re.compile(rf"{PICTURES}/{PICTURE_NAME.pattern}")


class KnownBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A block of the site as it is now, which a recording of it must match."""

    block: Block
    name: str
    """Its name in the cache."""
    inputs: KeyInputs
    """What a run of it on this machine would be made from."""
    sources: tuple[Source, ...]
    """Of its session's data."""


class KnownBlocks(msgspec.Struct, frozen=True, kw_only=True):
    """What runs from another machine are compared with."""

    blocks: Mapping[str, KnownBlock]
    """The blocks that may have recordings, by the digest of their code."""
    device: str
    """Of this machine; its own runs need no recording."""
    packages: Sequence[str]
    """Those that the setting `packages` names."""
    sources: Sequence[Source]
    """Those that the setting `sources` names."""
    is_current: Callable[[Block, Run], bool]
    """Whether what a run has read in the site's folder is what is here."""

    @classmethod
    def from_lookup(cls, lookup: Lookup, blocks: Sequence[Block]) -> KnownBlocks:
        """Return what a look-up knows of these blocks.

        Raises:
            PageError: data are missing.
        """
        config = lookup.config
        blocks_by_code = {
            inputs.key.code: KnownBlock(block=block, name=name, inputs=inputs, sources=sources)
            for cached in lookup.load(group_sessions(blocks))
            for sources in [tuple(declared_sources(cached.session, config))]
            for (block, inputs), name in zip(cached.keyed, cached.session.block_names, strict=True)
        }
        sources = [data_source.source for data_source in known_sources(config)]
        return cls(
            blocks=blocks_by_code,
            device=environment.detect_device(),
            packages=config.packages,
            sources=sources,
            is_current=lookup.is_current,
        )

    def check(self, recording: Recording) -> Recording:
        """Return a recording as the site may keep it.

        Raises:
            InvalidRecording: it is not of a block of the site as it is now.
        """
        entry, run = recording.entry, recording.run
        block = self.blocks.get(entry.key.code)
        if block is None:
            raise InvalidRecording("no page contains its code, or the setting 'gpu' does not match its session")
        its_inputs = entry.name, entry.inputs.files, entry.inputs.codes
        is_same = its_inputs == (block.name, block.inputs.files, block.inputs.codes)
        require(is_same, f"its name or inputs do not match {block.name!r}, the block with its code")
        names = {name for name, _ in run.provenance.packages}
        require(names <= {*self.packages}, "lists packages that are not in the setting 'packages'")
        has_same_data = {*block.sources} <= {*run.provenance.sources} <= {*block.sources, *self.sources}
        require(has_same_data, "its data differs from this site's")
        is_expected = not has_unexpected_error(block.block, run) and not is_missing_error(block.block, run)
        require(is_expected, "raised an unexpected exception, or did not raise the expected one")
        is_current = self.is_current(block.block, run)
        require(is_current, "what it read in the site's folder differs from what is here")
        return msgspec.structs.replace(recording, run=msgspec.structs.replace(run, measured=block.block.measured))


def accept_folder(lookup: Lookup, blocks: Sequence[Block], folder: Path) -> list[Recording]:
    """Make recordings of the runs that another machine has made: of all of them, or of none.

    They replace older recordings of the same blocks on the same devices. Runs from a device that this machine has are
    left out. The folder has the format of a cache; nothing in it is trusted.

    Raises:
        PageError: there is no such folder, or part of it is invalid; the message has a line for each problem.
        CodeoutError: there are raster images, and Pillow is not installed.
        OSError: the disk is full or read-only.
    """
    if not folder.is_dir():
        raise PageError(f"{folder}:1: no such folder")
    config = lookup.config
    site = KnownBlocks.from_lookup(lookup, select_blocks(blocks, config.gpu))
    recordings, problems = check_folder(site, folder)
    if problems:
        more = len(problems) - MAX_PROBLEMS
        count = [f"… and {more:,} more problems"] if more > 0 else []
        raise PageError("\n".join([*problems[:MAX_PROBLEMS], *count]))
    # The newest of each block: a machine that was upgraded still has those of its old packages.
    by_date = sorted(recordings, key=lambda recording: recording.run.provenance.date)
    accepted = _with_traces({recording.entry.name: recording for recording in by_date}.values())
    _store(accepted, recordings_in(config.path(config.recordings)))
    return accepted


def check_folder(site: KnownBlocks, folder: Path) -> tuple[list[Recording], list[str]]:
    """Return the runs of a folder that may become recordings, and a line for each problem with the folder.

    Where there is a problem, none of the runs may be stored.
    """
    problems = list(_check_files(folder))
    if problems:
        return [], problems
    store, recordings = recordings_in(folder), []
    entries = {path: entry for path in store.paths() if (entry := store.entry(path))}
    inputs = inputs_of_sessions(entries.values())
    for path in store.paths():
        entry = entries.get(path)
        if entry and entry.inputs.environment.device == site.device:
            continue
        try:
            recording = read_recording(store, path)
            read = inputs[recording.entry.key]
            if read is None:
                raise InvalidRecording("runs of the blocks above it are missing")
            # With all that its session had read, since it may be kept without those above it.
            run = msgspec.structs.replace(recording.run, inputs=shared_inputs(read))
            recordings.append(site.check(msgspec.structs.replace(recording, run=run)))
        except InvalidRecording as problem:
            problems.append(f"{path}:1: {problem}")
    devices = {recording.run.provenance.device for recording in recordings}
    if len(devices) > 1:
        problems.append(f"{folder}:1: runs from {len(devices)} devices; expected one")
    return recordings, problems


def inputs_of_sessions(entries: Iterable[Entry]) -> dict[Key, tuple[Input, ...] | None]:
    """Return what the session of each run had read when the block ended; None if runs above it are missing."""
    sessions: dict[str, list[Entry]] = {}
    for entry in entries:
        sessions.setdefault(entry.inputs.session, []).append(entry)
    inputs: dict[Key, tuple[Input, ...] | None] = {}
    for group in sessions.values():
        so_far: dict[Input, None] = {}
        numbers = {len(entry.inputs.codes) for entry in group}
        for entry in sorted(group, key=lambda entry: len(entry.inputs.codes)):
            so_far |= dict.fromkeys(entry.read)
            is_whole = numbers >= {*range(1, len(entry.inputs.codes))}
            inputs[entry.key] = tuple(so_far) if is_whole else None
    return inputs


def _with_traces(recordings: Iterable[Recording]) -> list[Recording]:
    """Return recordings under the keys that fit what is left of their inputs.

    So the machine that made them can begin with them as its cache, and reruns only what is stale.
    """
    traces: dict[tuple[str, str], str] = {}
    traced_recordings = []
    for recording in sorted(recordings, key=lambda recording: len(recording.entry.inputs.codes)):
        session = recording.entry.inputs.session, recording.run.provenance.device
        traces[session] = add_trace(traces.get(session, ""), recording.run.inputs)
        key = Key(recording.entry.key.code, recording.entry.key.environment, traces[session])
        entry = msgspec.structs.replace(recording.entry, key=key)
        traced_recordings.append(msgspec.structs.replace(recording, entry=entry))
    return sorted(traced_recordings, key=lambda recording: recording.entry.name)


def _check_files(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the files of a folder, before any is opened."""
    total = count = 0
    folders = [folder]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            location = path.relative_to(folder).as_posix()
            count += 1
            if count > MAX_FILES:
                yield f"{folder}:1: more than {MAX_FILES:,} files"
                return
            if location in (MEMO, TIMES, ".gitignore") and not path.is_symlink():  # a cache has them; they stay closed
                continue
            if path.is_dir() and not path.is_symlink() and "/" not in location:
                folders.append(path)
            elif problem := _problem_with_file(path, location):
                name = path if str(path).isprintable() else ascii(str(path))  # a log may obey what begins a line
                yield f"{name}:1: {problem}"
            else:
                total += path.stat().st_size
    if total > MAX_BYTES:
        yield f"{folder}:1: {total:,} bytes in total; the limit is {MAX_BYTES:,}"


def _problem_with_file(path: Path, location: str) -> str:
    if path.is_symlink():
        return "symbolic link; only regular files are accepted"
    if not path.is_file():
        return "not a regular file"
    if not (RUN_PATH.fullmatch(location) or PICTURE_PATH.fullmatch(location)):
        return "unexpected file; expected AB/ABCD…-….json (a run) or images/HASH.png (a picture)"
    size = path.stat().st_size
    return f"{size:,} bytes; the limit per file is {MAX_FILE_BYTES:,}" if size > MAX_FILE_BYTES else ""


def _store(recordings: Sequence[Recording], store: RunStore) -> None:
    """Write runs to the recordings, in place of those of the same blocks on the same devices."""
    entries = [recording.entry for recording in recordings]
    keys = {(entry.name, entry.inputs.environment.device): entry.key for entry in entries}
    for recording in recordings:
        store.put(recording.entry.key, recording.run, recording.entry.inputs, recording.entry.name)
    for old in list(store.entries()):
        if keys.get((old.name, old.inputs.environment.device), old.key) != old.key:
            old.path.unlink(missing_ok=True)
    store.clean_pictures()
