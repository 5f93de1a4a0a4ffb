"""The key of a block: a digest of everything that can change its output, and of nothing else.

Values in, values out: `environment` reads the machine, this module only adds up what it is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from codeout.model.source import same_program

KEYED = ("TZ", "LANG", "LC_ALL")  # variables that blocks see, since they change outputs
FORMAT = 7  # raise it when captured outputs change shape: every run on disk is then a miss


@dataclass(frozen=True, slots=True)
class Environment:
    """What a run depends on besides code and data."""

    python: str
    platform: str  # operating system and processor
    device: str
    packages: tuple[tuple[str, str], ...]  # (name, version), sorted
    variables: tuple[tuple[str, str], ...]  # (name, value), sorted


@dataclass(frozen=True, slots=True)
class File:
    """A file that a block depends on, and the digest of what is in it."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class Step:
    """One block as its key sees it."""

    code: str
    options: tuple[str, ...]  # those that can change the output
    modules: tuple[File, ...]  # the local modules that it imports, and theirs
    environment: Environment  # with the packages that code down to here can reach


@dataclass(frozen=True, slots=True)
class Key:
    """Names a run: the same code in another environment has the same first half."""

    code: str
    environment: str

    def __str__(self) -> str:
        """Return the name of the run's file."""
        return f"{self.code}-{self.environment}"


@dataclass(frozen=True, slots=True)
class KeyInputs:
    """Everything that can change the output of a block. Its digest is the key; kept with a run, it tells why."""

    environment: Environment
    files: tuple[File, ...]  # prelude, data, and the modules imported so far; sorted
    codes: tuple[str, ...]  # digests of the blocks above and, last, of this one

    @property
    def key(self) -> Key:
        """The name of the run."""
        return Key(digest(FORMAT, self.files, self.codes)[:40], digest(FORMAT, self.environment)[:16])


def digest(*parts: object) -> str:
    """Return a hexadecimal SHA-256 of values whose `repr` tells them apart."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def recipes(steps: Sequence[Step], before: Iterable[File]) -> list[KeyInputs]:
    """Return a recipe for each block of a session.

    Args:
        steps: the blocks, in page order; each recipe covers those above it.
        before: files that the whole session depends on: prelude, its modules, data.
    """
    files = {file.path: file for file in before}
    codes: list[str] = []
    found = []
    for step in steps:
        files |= {file.path: file for file in step.modules}
        codes.append(digest(normal(step.code), step.options)[:40])
        found.append(KeyInputs(step.environment, tuple(files[path] for path in sorted(files)), tuple(codes)))
    return found


def causes(old: KeyInputs, new: KeyInputs) -> list[str]:
    """Return in words what has changed from one recipe to another."""
    found = []
    for name in ("python", "platform", "device"):
        was, now = getattr(old.environment, name), getattr(new.environment, name)
        if was != now:
            found.append(f"{name} {was} → {now}")
    found += _changes(dict(old.environment.packages), dict(new.environment.packages), "{name} {was} → {now}")
    found += _changes(dict(old.environment.variables), dict(new.environment.variables), "${name} changed")
    files = [{file.path: file.digest for file in recipe.files} for recipe in (old, new)]
    found += _changes(files[0], files[1], "{name} changed")
    if old.codes[-1] != new.codes[-1]:
        found.append("its own code changed")
    if old.codes[:-1] != new.codes[:-1]:
        pairs = zip(old.codes[:-1], new.codes[:-1], strict=False)
        first = next((n for n, (was, now) in enumerate(pairs, start=1) if was != now), None)
        same_length = len(old.codes) == len(new.codes)
        found.append(f"block {first} above it changed" if first and same_length else "the blocks above it changed")
    return found


def _changes(old: Mapping[str, str], new: Mapping[str, str], words: str) -> list[str]:
    return [
        words.format(name=name, was=old.get(name, "none"), now=new.get(name, "none"))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


@cache
def normal(code: str) -> str:
    """Return code without the white space that can't change what it does: at the ends of lines, and around it."""
    stripped = "\n".join(line.rstrip() for line in code.strip("\n").split("\n"))
    return stripped if stripped == code or same_program(stripped, code) else code
