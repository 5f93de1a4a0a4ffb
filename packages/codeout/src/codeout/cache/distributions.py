"""Which installed packages code can reach, in which versions. Reads metadata; imports none of them.

Reading the metadata of a hundred packages takes a fifth of a second, so the result is kept in the cache's folder until
an installation changes: each adds or removes a folder beside the packages.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import msgspec

from codeout.cache.files import read_json, write_atomically

MAX_MEMO_BYTES = 50_000_000

Versions = dict[str, str]
"""Version by the normalized name of a package."""


class _Memo(msgspec.Struct):
    stamp: list[str]
    modules: dict[str, Versions]


_decoder = msgspec.json.Decoder(_Memo)


@dataclass(slots=True)
class InstalledPackages:
    """The packages of this Python."""

    memo: Path
    """A file that keeps what has been read, and may be lost at any time."""
    _stamp: list[str] = field(default_factory=list)
    """Of the installation that `_versions` was read from."""
    _versions: dict[str, Versions] = field(default_factory=dict)
    """By the name of a module: the packages that it reaches."""

    def versions(self, modules: Iterable[str]) -> Versions:
        """Return the version of each package that provides one of these modules, and of all that those require."""
        self._refresh()
        reached: Versions = {}
        names = set(modules) - sys.stdlib_module_names
        unread = names - self._versions.keys()
        for module in unread:
            self._versions[module] = {k: v for name in _providers(module) for k, v in _closure(name).items()}
        for module in sorted(names):
            reached |= self._versions[module]
        if unread:
            self._write()
        return reached

    def _refresh(self) -> None:
        """Forget what was read if the installation has changed since, and read the memo if it fits."""
        now = installation_stamp()
        if now == self._stamp:
            return
        self._stamp, self._versions = now, {}
        try:
            memo = read_json(self.memo, _decoder, MAX_MEMO_BYTES)
        except (OSError, ValueError):
            return
        if memo.stamp == now:
            self._versions = memo.modules

    def _write(self) -> None:
        content = msgspec.json.encode(_Memo(self._stamp, self._versions), order="deterministic")
        try:
            write_atomically(self.memo, msgspec.json.format(content, indent=1))
        except OSError:
            return  # the next run that is stored says so


def installation_stamp() -> list[str]:
    """Return what changes when a package is installed, upgraded or removed."""
    folders = [Path(entry) for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    return [sys.version, *(f"{folder} {folder.stat().st_mtime_ns}" for folder in folders if folder.is_dir())]


@cache  # what has been imported stays as it was
def engine_stamp() -> list[int]:
    """Return what changes when codeout's own code is edited in place, or upgraded."""
    return [file.stat().st_mtime_ns for file in sorted(Path(__file__).parents[1].rglob("*.py"))]


def _providers(module: str) -> list[str]:
    """Return the installed distributions that provide a module; most are named like it."""
    try:
        return [importlib.metadata.distribution(module).metadata["Name"]]
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return sorted(set(importlib.metadata.packages_distributions().get(module, [])))


def _closure(name: str) -> Versions:
    """Return the versions of a distribution and of all that it requires, as far as they are installed."""
    versions: Versions = {}
    waiting = [name]
    while waiting:
        normalized = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if normalized in versions:
            continue
        try:
            distribution = importlib.metadata.distribution(normalized)
        except importlib.metadata.PackageNotFoundError:
            continue
        versions[normalized] = distribution.version
        waiting += _requirements(distribution)
    return versions


def _requirements(distribution: importlib.metadata.Distribution) -> Iterator[str]:
    for line in distribution.requires or []:
        if "extra ==" not in line and (match := re.match(r"[A-Za-z0-9._-]+", line)):
            yield match[0]
