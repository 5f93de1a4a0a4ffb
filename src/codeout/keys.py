"""The key of a block: a digest of everything that can change its output, and of nothing else.

Values in, values out: `environment` reads the machine, this module only adds up what it is told.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

FORMAT = 2  # raise it when captured outputs change shape: every run on disk is then a miss


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


@dataclass(frozen=True, slots=True)
class Key:
    """Names a run: the same code in another environment has the same first half."""

    code: str
    environment: str

    def __str__(self) -> str:
        """Return the name of the run's file."""
        return f"{self.code}-{self.environment}"


def digest(*parts: object) -> str:
    """Return a hexadecimal SHA-256 of values whose `repr` tells them apart."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def keys(steps: Sequence[Step], before: Iterable[File], environment: Environment) -> list[Key]:
    """Return a key for each block of a session.

    Args:
        steps: the blocks, in page order; each key covers those above it.
        before: files that the whole session depends on: prelude, its modules, data.
        environment: what they run in.
    """
    where = digest(FORMAT, environment)[:16]
    so_far = digest(FORMAT, sorted((file.path, file.digest) for file in before))
    found = []
    for step in steps:
        modules = sorted((file.path, file.digest) for file in step.modules)
        so_far = digest(so_far, normal(step.code), step.options, modules)
        found.append(Key(so_far[:40], where))
    return found


@cache
def normal(code: str) -> str:
    """Return code without the white space that can't change what it does: at the ends of lines, and around it."""
    stripped = "\n".join(line.rstrip() for line in code.strip("\n").split("\n"))
    try:
        same = ast.dump(ast.parse(stripped)) == ast.dump(ast.parse(code))
    except (SyntaxError, ValueError):
        return code
    return stripped if same else code
