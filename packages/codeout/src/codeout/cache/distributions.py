"""Find the installed packages that code can load, and their versions, from metadata and without importing any.

Reading the metadata of a hundred packages takes about 0.2 s, so the result is stored in the cache's folder until a
package is installed, upgraded or removed, which changes the modification time of the folder of packages.
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
"""The version of each package, by its normalized name."""


class _Memo(msgspec.Struct):
    stamp: list[str]
    modules: dict[str, Versions]


_decoder = msgspec.json.Decoder(_Memo)


@dataclass(slots=True)
class InstalledPackages:
    """The packages of this Python."""

    memo: Path
    """The file that stores the versions between builds; it may be deleted at any time."""
    _stamp: list[str] = field(default_factory=list)
    """The stamp of the installation that `_versions` describes."""
    _versions: dict[str, Versions] = field(default_factory=dict)
    """The packages that each module can load, by the name of the module."""

    def versions(self, modules: Iterable[str]) -> Versions:
        """Return the versions of the packages that provide these modules, and of their requirements."""
        self._refresh()
        versions: Versions = {}
        names = set(modules) - sys.stdlib_module_names
        new_names = names - self._versions.keys()
        for module in new_names:
            self._versions[module] = {k: v for name in _find_providers(module) for k, v in _resolve(name).items()}
        for module in sorted(names):
            versions |= self._versions[module]
        if new_names:
            self._save()
        return versions

    def _refresh(self) -> None:
        """Drop the versions if the installation has changed, and load the memo if it describes the current one."""
        stamp = installation_stamp()
        if stamp == self._stamp:
            return
        self._stamp, self._versions = stamp, {}
        try:
            memo = read_json(self.memo, _decoder, MAX_MEMO_BYTES)
        except (OSError, ValueError):
            return
        if memo.stamp == stamp:
            self._versions = memo.modules

    def _save(self) -> None:
        content = msgspec.json.encode(_Memo(self._stamp, self._versions), order="deterministic")
        try:
            write_atomically(self.memo, msgspec.json.format(content, indent=1))
        except OSError:
            return  # storing the next run fails, too, and reports it


def installation_stamp() -> list[str]:
    """Return a value that changes when a package is installed, upgraded or removed."""
    folders = [Path(entry) for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    return [sys.version, *(f"{folder} {folder.stat().st_mtime_ns}" for folder in folders if folder.is_dir())]


@cache  # imported code does not change while the process runs
def engine_stamp() -> list[int]:
    """Return a value that changes when the code of codeout is edited or upgraded."""
    return [file.stat().st_mtime_ns for file in sorted(Path(__file__).parents[1].rglob("*.py"))]


def _find_providers(module: str) -> list[str]:
    """Return the installed distributions that provide a module; most have the module's name."""
    try:
        return [importlib.metadata.distribution(module).metadata["Name"]]
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return sorted(set(importlib.metadata.packages_distributions().get(module, [])))


def _resolve(name: str) -> Versions:
    """Return the versions of a distribution and of its direct and indirect requirements, if installed."""
    versions: Versions = {}
    pending = [name]
    while pending:
        normalized = re.sub(r"[-_.]+", "-", pending.pop()).lower()
        if normalized in versions:
            continue
        try:
            distribution = importlib.metadata.distribution(normalized)
        except importlib.metadata.PackageNotFoundError:
            continue
        versions[normalized] = distribution.version
        pending += _requirements(distribution)
    return versions


def _requirements(distribution: importlib.metadata.Distribution) -> Iterator[str]:
    for line in distribution.requires or []:
        if "extra ==" not in line and (match := re.match(r"[A-Za-z0-9._-]+", line)):
            yield match[0]
