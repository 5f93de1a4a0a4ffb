"""Runs that come from a machine that others share, as recordings: read as data, checked, and written anew.

Nothing is copied. A run is taken if its key is one that the pages have now, if it is made from what it says, and if
what it shows is text or a picture that cannot act. Its HTML, Markdown and LaTeX are left out: a page would trust them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from codeout.cache.keys import FORMAT, KeyInputs
from codeout.cache.store import IMAGES, MEMO, TIMES, Entry, RunStore
from codeout.compare.svg import Refused
from codeout.compare.untrusted import safe
from codeout.model.blocks import Block
from codeout.model.expectations import has_unexpected_error
from codeout.model.outputs import Error, Figure, Output, Provenance, Run, Source, Stream, Value, to_json

LARGEST = 4_000_000  # bytes of a file
MOST = 100_000_000  # bytes of all files
FILES = 20_000
SHOWS = 20_000_000  # bytes of the pictures that a run shows, each as often as it is shown
OUTPUTS = 1_000  # of a run
MODULES = 500  # that a run has loaded
LONGEST = 10_000_000  # seconds that a block may say it took
FIRST = datetime(2024, 1, 1, tzinfo=UTC)  # before there was anything to record

RUN = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{38}-[0-9a-f]{16}\.json")
PICTURE = re.compile(rf"images/[0-9a-f]{{64}}\.({'|'.join(IMAGES.values())})")
DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ()._+/-]{0,79}")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,39}")
WORDS = re.compile(r"[\w .,:;+/()@=-]{0,200}", re.ASCII)  # what a recipe says of a machine
MODULE = re.compile(r"[\w-][\w .-]*(/[\w-][\w .-]*)*")  # a path inside the site's folder
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # Markdown's own placeholders are made of them
MIME = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}")
SHOWN = ("text/plain", "image/svg+xml", *IMAGES)  # the types of what a recording may show


@dataclass(frozen=True, slots=True)
class Known:
    """A block of the site as it is now: what a recording of it must be made from."""

    block: Block
    name: str
    recipe: KeyInputs
    sources: tuple[Source, ...]  # of its data


@dataclass(frozen=True, slots=True)
class Accepted:
    """A run that may become a recording."""

    entry: Entry
    run: Run
    without: tuple[str, ...]  # the types of what was left out of what it shows


@dataclass(frozen=True, slots=True)
class Check:
    """What runs are checked against."""

    known: Mapping[str, Known]  # the blocks of the site, by the digest of their code (the first half of a key)
    device: str  # of this machine: what ran there needs no recording
    packages: Sequence[str]  # those that a run line names
    whole: Callable[[Block, Run], bool]  # whether what the run has loaded is what is here

    def accept(self, folder: Path) -> tuple[list[Accepted], list[str]]:
        """Return the runs of a folder that may become recordings, and why others may not.

        Args:
            folder: of the format of a store, from somewhere else.

        Returns:
            the runs, and sentences that begin with the path of a file. Where there are any, none of it may be taken.
        """
        refused = list(_strangers(folder))
        if refused:
            return [], refused
        accepted = []
        for path in sorted(folder.glob("??/*.json")):
            try:
                entry = self._entry(path)
                if entry.recipe.environment.device != self.device:
                    accepted.append(self._accepted(entry, RunStore(folder)))
            except Refused as problem:
                refused.append(f"{path}:1: {problem}")
        devices = sorted({each.run.provenance.device for each in accepted})
        if len(devices) > 1:
            refused.append(f"{folder}:1: has runs of {len(devices)} devices, and comes from one machine")
        return accepted, refused

    def _entry(self, path: Path) -> Entry:
        """Return what a run says it is made from, if that is what a block of the site is made from now.

        Raises:
            Refused: it is not.
        """
        try:
            content = json.loads(path.read_text(encoding="utf8"))
            form = content["format"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
            raise Refused(f"is no run: {type(problem).__name__}") from problem
        if form != FORMAT:
            raise Refused(f"has another format than {FORMAT}: it was made by another version of the engine")
        entry = RunStore.entry(path)
        if entry is None:
            raise Refused("is no run: it does not say what it was made from, or its key is not its name")
        block = self.known.get(entry.key.code)
        if block is None:
            raise Refused("is a run of code that no page has now, or of a session that the setting `gpu` does not name")
        if entry.recipe.key != entry.key:
            raise Refused("has a key that is not the digest of what it says it was made from")
        told, here = entry.recipe, block.recipe
        if (told.files, told.codes) != (here.files, here.codes) or entry.name != block.name:
            raise Refused(f"says it is another block, and its code is that of {block.name!r}")
        return entry

    def _accepted(self, entry: Entry, store: RunStore) -> Accepted:
        """Return a run without what it may not show.

        Raises:
            Refused: it is not whole, says of itself what can't be, or shows a picture that is none or that could act.
        """
        if store.shows(entry.path) > SHOWS:
            raise Refused(f"shows pictures of more than {SHOWS:,} bytes")
        run, block = store.get(entry.key), self.known[entry.key.code]
        if run is None:
            raise Refused("is not whole, or refers to a picture that is not the one it names")
        if len(run.outputs) > OUTPUTS:
            raise Refused(f"has more than {OUTPUTS:,} outputs")
        if has_unexpected_error(block.block, run) or (block.block.raises and run.error is None):
            raise Refused("ended otherwise than its page expects")
        try:
            json.dumps(to_json(run), ensure_ascii=False).encode()
        except (ValueError, RecursionError) as problem:
            raise Refused("has text that is none, or is nested too deeply") from problem
        self._told(run.provenance, entry, block)
        paths = [path for path, _ in run.modules]
        if not all(MODULE.fullmatch(path) and len(path) < 200 and path.endswith(".py") for path in paths):
            raise Refused("has loaded modules from outside the site's folder")
        if len(paths) > MODULES or len(paths) != len({*paths}):
            raise Refused(f"has loaded a module twice, or more than {MODULES}")
        if not self.whole(block.block, run):
            raise Refused("has loaded other modules than are here")
        if any(CONTROL.search(text) for output in run.outputs for text in _texts(output)):
            raise Refused("has control characters in its text")
        shown, without = safe(run)
        return Accepted(entry, replace(shown, values={}, measured=block.block.measured), tuple(sorted(without)))

    def _told(self, told: Provenance, entry: Entry, block: Known) -> None:
        """Check what a run says of itself; a reader sees it under the output.

        Raises:
            Refused: it can't be, or is not what its key says.
        """
        here = entry.recipe.environment
        pairs = [*here.packages, *here.variables]
        if not all(map(WORDS.fullmatch, [here.python, here.platform, *(word for pair in pairs for word in pair)])):
            raise Refused("says of its machine what can't be")
        if not DEVICE.fullmatch(told.device):
            raise Refused("has a device whose name is none")
        if (told.device, told.python) != (here.device, here.python) or not set(told.packages) <= set(here.packages):
            raise Refused("says that it ran elsewhere, or with other versions, than its key does")
        versions = [told.python, *(version for _, version in told.packages)]
        if not ({name for name, _ in told.packages} <= {*self.packages} and all(map(VERSION.fullmatch, versions))):
            raise Refused("names packages or versions that are none")
        if not told.code or told.code != entry.key.code[: len(told.code)]:
            raise Refused("names other code than its key does")
        if isinstance(told.seconds, bool) or not 0 <= told.seconds <= LONGEST:
            raise Refused("took a time that can't be")
        if told.sources != block.sources:
            raise Refused("names other data than is here")
        if placeholder := next((source for source in told.sources if source.placeholder), None):
            raise Refused(f"was made with a placeholder for {placeholder.name}")
        _dated(told.date)


def _strangers(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the files of a folder, before any is opened."""
    total = count = 0
    waiting = [folder]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            inside = path.relative_to(folder).as_posix()
            count += 1
            named = path if str(path).isprintable() else ascii(str(path))  # a log may obey what begins a line
            if count > FILES:
                yield f"{folder}:1: has more than {FILES:,} files"
                return
            if path.is_symlink():
                yield f"{named}:1: is a link; only files are taken"
            elif inside in (MEMO, TIMES):
                continue
            elif path.is_dir() and "/" not in inside:
                waiting.append(path)
            elif not path.is_file():
                yield f"{named}:1: is no ordinary file"
            elif not (RUN.fullmatch(inside) or PICTURE.fullmatch(inside)):
                yield f"{named}:1: has no place in a store: a run is AB/ABCD…-….json, a picture images/HASH.png"
            elif path.stat().st_size > LARGEST:
                yield f"{path}:1: has {path.stat().st_size:,} bytes; a file may have {LARGEST:,}"
            else:
                total += path.stat().st_size
    if total > MOST:
        yield f"{folder}:1: has {total:,} bytes; it may have {MOST:,}"


def _dated(date: str) -> None:
    try:
        when = datetime.fromisoformat(date)
        sound = (
            when.tzinfo is not None
            and when.isoformat() == date
            and FIRST < when < datetime.now(UTC) + timedelta(days=1)
        )
    except (ValueError, OverflowError) as problem:
        raise Refused("ran at a time that is none") from problem
    if not sound:
        raise Refused("ran at a time that can't be")


def _texts(output: Output) -> list[str]:
    """Return what a page would show of an output as text, or as words of a picture."""
    match output:
        case Stream(_, text):
            return [text]
        case Error(kind, message, traceback):
            return [kind, message, traceback]
        case Figure(data, alt):
            return [alt, *data.values()]
        case Value(data):
            return [*data.values()]


def keep(accepted: Sequence[Accepted], recordings: RunStore) -> None:
    """Write runs to the recordings; they take the place of those of the same blocks on the same devices.

    Raises:
        OSError: the disk is full or read-only.
    """
    new = {(each.entry.name, each.entry.recipe.environment.device): each.entry.key for each in accepted}
    for each in accepted:
        recordings.put(each.entry.key, each.run, each.entry.recipe, each.entry.name)
    for old in list(recordings.entries()):
        if new.get((old.name, old.recipe.environment.device), old.key) != old.key:
            old.path.unlink(missing_ok=True)
    recordings.clean_pictures()
