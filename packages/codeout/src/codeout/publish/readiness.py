"""Whether a site is ready to publish: everything has run, on real data, and recordings are recent enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from codeout.cache.keys import Environment, KeyInputs
from codeout.cache.lookup import CachedSession, Lookup
from codeout.cache.store import Entry
from codeout.config import Config
from codeout.model.blocks import Block, group_sessions
from codeout.model.expectations import SKIPPED, has_unexpected_error
from codeout.recordings.read import Recordings

NewestEntries = Mapping[tuple[str, str], Entry]
"""By the name of a block and a device."""


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a site before it is published."""

    blocks: int
    recordings: int
    """How many of its blocks' runs are recordings from other devices."""
    partly_observed: int
    """How many blocks Python alone has observed, so that not all that they read is known."""
    problems: tuple[str, ...]
    """What keeps it from being published, in sentences that begin with `path:line:`."""


def check_readiness(lookup: Lookup, recordings: Recordings, blocks: Sequence[Block], now: datetime) -> Readiness:
    """Check whether a site is ready to publish at a time with a zone.

    Raises:
        PageError: data are missing.
    """
    cached_sessions = lookup.load(group_sessions(blocks))
    recordings.refresh()
    entries = newest_entries(list(recordings.entries()))
    return Readiness(
        blocks=len(blocks),
        recordings=len(entries),
        partly_observed=sum(run.provenance.observer == "python" for cached in cached_sessions for run in cached.runs),
        problems=tuple(problems(cached_sessions, entries, lookup.config, now)),
    )


def newest_entries(entries: Sequence[Entry]) -> NewestEntries:
    """Return the newest recording of each block on each device."""
    by_date = sorted(entries, key=lambda entry: entry.date)
    return {(entry.name, entry.inputs.environment.device): entry for entry in by_date}


def problems(
    cached_sessions: Sequence[CachedSession], recordings: NewestEntries, config: Config, now: datetime
) -> Iterator[str]:
    """Yield what keeps a site from being published, in sentences that begin with `path:line:`."""
    for cached in cached_sessions:
        yield from _problems_of_runs(cached)
        yield from _problems_of_recordings(cached, recordings, config, now)


def _problems_of_runs(cached: CachedSession) -> Iterator[str]:
    placeholders: set[str] = set()
    for block, run in zip(cached.session.blocks, cached.cached, strict=True):
        if run is None:
            yield f"{block}: not run since its last change; run `codeout run`"
            continue
        if run.error and has_unexpected_error(block, run) and run.error.type != SKIPPED:
            yield f"{block}: raised an unexpected {run.error.type}; correct it, or run `codeout run --failed`"
        for source in run.provenance.sources:
            if source.is_placeholder and source.name not in placeholders:
                placeholders.add(source.name)
                yield f"{block}: based on placeholder data for {source.name}: {source.note}"


def _problems_of_recordings(
    cached: CachedSession, recordings: NewestEntries, config: Config, now: datetime
) -> Iterator[str]:
    names = cached.session.block_names
    devices = sorted({device for name, device in recordings if name in names})
    first_block = cached.session.blocks[0]
    if not devices and first_block.matches(config.require_recordings):
        yield f"{first_block}: no recording from another device, but 'require_recordings' names its session"
    for device in devices:
        entries = [recordings.get((name, device)) for name in names]
        newest = max(datetime.fromisoformat(entry.date) for entry in entries if entry)
        days = (now - newest).total_seconds() / 86400
        if days > config.max_recording_age and (stale := _first_stale(cached, entries, config)):
            block, reason = stale
            age = f"the newest is {days:.0f} days old; 'max_recording_age' is {config.max_recording_age:g}"
            yield f"{block}: its recording on {device} {reason}, and {age}"


def _first_stale(cached: CachedSession, entries: Sequence[Entry | None], config: Config) -> tuple[Block, str] | None:
    """Return the first block of a session whose recording is stale, and why it is."""
    pairs = zip(cached.keyed, entries, strict=True)
    reasons = ((block, _why_stale(inputs, entry, config)) for (block, inputs), entry in pairs)
    return next(((block, reason) for block, reason in reasons if reason), None)


def _why_stale(inputs: KeyInputs, entry: Entry | None, config: Config) -> str:
    if entry is None:
        return "is missing"
    if entry.key.code != inputs.key.code:
        return "was made from different code"
    old, new = (_named_versions(key_inputs.environment, config) for key_inputs in (entry.inputs, inputs))
    return ", ".join(f"was made with {name} {old[name]}, not {new[name]}" for name in old if old[name] != new[name])


def _named_versions(environment: Environment, config: Config) -> dict[str, str]:
    versions = dict(environment.packages)
    return {name: versions.get(name, "none") for name in config.packages}
