"""Runs on disk, whole or not at all.

    STORE/ab/abcd…-0123….json      one run: JSON, named by its key
    STORE/images/HASH.png          pictures, named by their content
    STORE/times/HASH-SECONDS.json  how a session went, named by the session and the time
    STORE/memo/                    what makes a build quick, and may be lost at any time

There is no index: the files are the store. What is torn, foreign or of another format is a miss, never a crash. So
stores merge by copying, in any order, if no two of them have run the same session.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import time
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from codeout.cache.files import write_atomically
from codeout.cache.keys import FORMAT, Environment, File, Key, KeyInputs
from codeout.model.mime import IMAGES
from codeout.model.outputs import Figure, Run, Value, from_json, to_json

REFERENCE = "file:"  # what stands in the JSON in place of a picture
PICTURE = re.compile(rf'"{REFERENCE}([^"/\\]+)"')
TIMES = "times"
MEMO = "memo"


@dataclass(frozen=True, slots=True)
class Time:
    """How a session went when it last ran from its first block."""

    seconds: float
    forks: int  # after how many of its blocks, from the first, its process could be copied


@dataclass(frozen=True, slots=True)
class Entry:
    """A run on disk, but for its outputs."""

    path: Path
    key: Key
    name: str  # of its block
    recipe: KeyInputs
    date: str  # when it ran; ISO 8601, UTC


@dataclass(frozen=True, slots=True)
class RunStore:
    """A folder of runs. Two builds may read and write it at the same time."""

    root: Path

    def get(self, key: Key) -> Run | None:
        """Return the run of a key; None if there is none that is whole."""
        try:
            content = json.loads(self._path(key).read_text(encoding="utf8"))
            if content["format"] != FORMAT or content["key"] != str(key):
                return None
            return _each_picture(from_json(content), self._load)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def size(self, key: Key) -> int:
        """Return how many bytes a run takes on disk, its pictures included; 0 if it is not there."""
        try:
            content = self._path(key).read_text(encoding="utf8")
            pictures = [self.root / "images" / name for name in _pictures(content)]
            return len(content.encode()) + sum(picture.stat().st_size for picture in pictures)
        except OSError:
            return 0

    def shows(self, path: Path) -> int:
        """Return how many bytes of pictures a run's file refers to, each as often as it does."""
        names = PICTURE.findall(path.read_text(encoding="utf8"))
        files = {name: self.root / "images" / name for name in names}
        sizes = {name: file.stat().st_size for name, file in files.items() if file.is_file()}
        return sum(sizes.get(name, 0) for name in names)

    def put(self, key: Key, run: Run, recipe: KeyInputs | None = None, name: str = "") -> None:
        """Keep a run.

        Args:
            key: what finds it again.
            run: what the block produced.
            recipe: what it was made from, to tell later why it is stale.
            name: which block of which page it was.

        Raises:
            OSError: the disk is full or read-only; nothing of the run is kept then.
        """
        content = {"format": FORMAT, "key": str(key), **to_json(_each_picture(run, self._save))}
        content |= {"name": name, "recipe": asdict(recipe) if recipe else None}
        write_atomically(self._path(key), json.dumps(content, ensure_ascii=False, indent=1).encode())

    def times(self) -> dict[str, Time]:
        """Return how sessions went when they last ran from their first block, by name."""
        return self._times("*")

    def time(self, name: str) -> Time | None:
        """Return how a session went when it last ran from its first block; None if that is not known."""
        return self._times(_digest(name)).get(name)

    def _times(self, session: str) -> dict[str, Time]:
        found: dict[str, tuple[int, Time]] = {}
        for path in (self.root / TIMES).glob(f"{session}-*.json"):
            try:
                told = json.loads(path.read_text(encoding="utf8"))
                name, when = str(told["name"]), int(path.stem.rpartition("-")[2])
                if name not in found or found[name][0] < when:
                    found[name] = when, Time(float(told["seconds"]), int(told["forks"]))
            except (OSError, ValueError, KeyError, TypeError):
                continue  # torn or foreign: it tells nothing
        return {name: told for name, (_, told) in found.items()}

    def keep_time(self, name: str, told: Time) -> None:
        """Keep how a session went.

        Raises:
            OSError: the disk is full or read-only.
        """
        new = self.root / TIMES / f"{_digest(name)}-{time.time_ns() // 1_000_000}.json"
        write_atomically(new, json.dumps({"name": name, **asdict(told)}).encode())
        for old in new.parent.glob(f"{_digest(name)}-*.json"):
            if old != new:
                old.unlink(missing_ok=True)

    def newest(self) -> dict[str, tuple[Key, KeyInputs]]:
        """Return the key of the newest run of each block, by name, and what it was made from.

        The newest by its own date: stores are copied, and merged.
        """
        found: dict[str, tuple[tuple[str, int], Entry]] = {}
        for entry in self.entries():
            date = entry.date, entry.path.stat().st_mtime_ns
            if entry.name not in found or found[entry.name][0] < date:
                found[entry.name] = date, entry
        return {name: (entry.key, entry.recipe) for name, (_, entry) in found.items()}

    def entries(self) -> Iterator[Entry]:
        """Yield what the runs that are here were made from, without their outputs."""
        for path in sorted(self.root.glob("??/*.json")):
            if entry := self.entry(path):
                yield entry

    @staticmethod
    def entry(path: Path) -> Entry | None:
        """Return what the run in a file was made from; None if it is torn, foreign or of another format."""
        try:
            content = json.loads(path.read_text(encoding="utf8"))
            code, _, environment = content["key"].partition("-")
            if content["format"] != FORMAT or path.stem != content["key"]:
                return None
            name, date = str(content["name"]), str(content["provenance"]["date"])
            return Entry(path, Key(code, environment), name, _recipe(content["recipe"]), date)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def clean(self, needed: Container[str]) -> tuple[int, int]:
        """Remove the runs of code that is not needed, for every environment, and pictures that no run shows.

        Args:
            needed: the first halves of the keys to keep.

        Returns:
            How many runs were removed, and how many kept.
        """
        entries = list(self.root.glob("??/*.json"))
        foreign = [entry for entry in entries if entry.name.split("-")[0] not in needed]
        for entry in foreign:
            entry.unlink(missing_ok=True)
        self.clean_pictures()
        return len(foreign), len(entries) - len(foreign)

    def clean_pictures(self) -> None:
        """Remove pictures that no run shows."""
        runs = self.root.glob("??/*.json")
        shown = {name for run in runs for name in _pictures(run.read_text(encoding="utf8", errors="replace"))}
        for picture in (self.root / "images").glob("*"):
            if picture.name not in shown:
                picture.unlink(missing_ok=True)

    def _path(self, key: Key) -> Path:
        return self.root / key.code[:2] / f"{key}.json"

    def _save(self, mime: str, data: str) -> str:
        content = base64.b64decode(data)
        name = f"{hashlib.sha256(content).hexdigest()}.{IMAGES[mime]}"
        write_atomically(self.root / "images" / name, content)  # even if it is there: what is there may be damaged
        return REFERENCE + name

    def _load(self, mime: str, data: str) -> str:
        name = data.removeprefix(REFERENCE)
        if name == data or Path(name).name != name or not name.endswith(f".{IMAGES[mime]}"):
            raise ValueError(f"not a picture of the store: {data[:80]}")
        content = (self.root / "images" / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != name.split(".")[0]:
            raise ValueError(f"damaged: {name}")
        return base64.b64encode(content).decode()


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:20]


def _pictures(content: str) -> set[str]:
    """Return the names of the pictures that a run's JSON refers to."""
    return set(PICTURE.findall(content))


def _recipe(content: Mapping[str, Any]) -> KeyInputs:
    told = content["environment"]
    packages, variables = (tuple((str(k), str(v)) for k, v in told[name]) for name in ("packages", "variables"))
    environment = Environment(str(told["python"]), str(told["platform"]), str(told["device"]), packages, variables)
    files = tuple(File(str(file["path"]), str(file["digest"])) for file in content["files"])
    return KeyInputs(environment, files, tuple(str(code) for code in content["codes"]))


def _each_picture(run: Run, change: Callable[[str, str], str]) -> Run:
    def changed(data: Mapping[str, str]) -> dict[str, str]:
        return {mime: change(mime, part) if mime in IMAGES else part for mime, part in data.items()}

    try:
        outputs = [replace(o, data=changed(o.data)) if isinstance(o, Value | Figure) else o for o in run.outputs]
    except binascii.Error as problem:
        raise ValueError(f"a picture is not base64: {problem}") from problem
    return replace(run, outputs=tuple(outputs))
