"""Whether a site may be published: everything has run, nothing stands in for data, and recordings are fresh enough.

Values in, sentences out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from codeout.cache.keys import Environment, KeyInputs
from codeout.cache.store import Entry
from codeout.config import Config
from codeout.model.blocks import block_name
from codeout.run.engine import CachedSession

Newest = Mapping[tuple[str, str], Entry]  # by the name of a block and a device


def newest(entries: Sequence[Entry]) -> Newest:
    """Return the newest recording of each block on each device."""
    by_date = sorted(entries, key=lambda entry: entry.date)
    return {(entry.name, entry.recipe.environment.device): entry for entry in by_date}


def problems(looks: Sequence[CachedSession], recorded: Newest, config: Config, now: datetime) -> list[str]:
    """Return what keeps a site from being published, in sentences that begin with `path:line:`.

    Args:
        looks: the sessions of its pages, as the store knows them.
        recorded: the recordings.
        config: the settings; `require_recordings` and `max_recording_age` are about recordings.
        now: the time, with a zone.
    """
    found: list[str] = []
    for look in looks:
        found += _runs(look)
        found += _recordings(look, recorded, config, now)
    return found


def _runs(look: CachedSession) -> Iterator[str]:
    placeholders: set[str] = set()
    for block, run in zip(look.session, look.stored, strict=True):
        if run is None:
            yield f"{block}: has not run as it is now; `codeout run` runs it"
            continue
        for source in run.provenance.sources:
            if source.placeholder and source.name not in placeholders:
                placeholders.add(source.name)
                yield f"{block}: was made with a placeholder for {source.name}: {source.note}"


def _recordings(look: CachedSession, recorded: Newest, config: Config, now: datetime) -> Iterator[str]:
    names = [block_name(look.session, number) for number in range(1, len(look.session) + 1)]
    devices = sorted({device for name, device in recorded if name in names})
    first = look.session[0]
    if not devices and first.matches(config.require_recordings):
        yield f"{first}: needs a recording from another device, and has none: `require_recordings` names its session"
    for device in devices:
        entries = [recorded.get((name, device)) for name in names]
        days = min(_days(entry, now) for entry in entries if entry)
        if days <= config.max_recording_age:
            continue
        for block, recipe, entry in zip(look.session, look.recipes, entries, strict=True):
            if why := _why(recipe, entry, config):
                yield (
                    f"{block}: its recording on {device} {why}, and for {days:.0f} days there was no newer one; "
                    f"`max_recording_age` allows {config.max_recording_age:g}"
                )
                break


def _days(entry: Entry, now: datetime) -> float:
    """Return how old a recording is."""
    when = datetime.fromisoformat(entry.date)
    return (now - (when if when.tzinfo else when.replace(tzinfo=UTC))).total_seconds() / 86400


def _why(recipe: KeyInputs, entry: Entry | None, config: Config) -> str:
    """Return in words why a recording is stale; nothing if it is not."""
    if entry is None:
        return "is missing"
    if entry.key.code != recipe.key.code:
        return "is of other code"
    was, now = (_shown(told, config) for told in (entry.recipe.environment, recipe.environment))
    return ", ".join(f"is of {name} {was[name]}, not {now[name]}" for name in was if was[name] != now[name])


def _shown(environment: Environment, config: Config) -> dict[str, str]:
    versions = dict(environment.packages)
    return {name: versions.get(name, "none") for name in config.packages}
