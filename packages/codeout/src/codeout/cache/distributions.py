"""Which installed packages, in which versions, code can reach. Read from metadata: nothing is imported.

Reading the metadata of a hundred packages takes a fifth of a second, so what was read is kept in the store's folder
until an installation changes: every installation adds or removes a folder beside the packages.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from codeout.cache.files import write_atomically

Versions = dict[str, str]


@dataclass(slots=True)
class Installed:
    """The packages of this Python. `memo` is a file that may be lost at any time."""

    memo: Path
    _stamp: list[str] = field(default_factory=list)
    _known: dict[str, Versions] = field(default_factory=dict)

    def versions(self, modules: Iterable[str]) -> Versions:
        """Return the version of each package that provides one of these modules, and of all that those require."""
        self._read()
        found: Versions = {}
        missing = False
        for module in sorted(set(modules) - sys.stdlib_module_names):
            if module not in self._known:
                missing = True
                self._known[module] = {k: v for name in _providers(module) for k, v in _closure(name).items()}
            found |= self._known[module]
        if missing:
            self._write()
        return found

    def _read(self) -> None:
        now = stamp()
        if now == self._stamp:
            return
        self._stamp, self._known = now, {}
        try:
            content = json.loads(self.memo.read_text(encoding="utf8"))
            if content["stamp"] == now:
                self._known = {str(module): dict(versions) for module, versions in content["modules"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return

    def _write(self) -> None:
        content = json.dumps({"stamp": self._stamp, "modules": self._known}, indent=1, sort_keys=True)
        try:
            write_atomically(self.memo, content.encode())
        except OSError:
            return  # the store says so when it keeps a run


def stamp() -> list[str]:
    """Return what changes when a package is installed, upgraded or removed."""
    folders = [Path(entry) for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    return [sys.version, *(f"{folder} {folder.stat().st_mtime_ns}" for folder in folders if folder.is_dir())]


@cache  # what has been imported stays as it was
def edits() -> list[int]:
    """Return what changes when this engine's own code is edited where it lies, or upgraded."""
    return [file.stat().st_mtime_ns for file in sorted(Path(__file__).parents[1].rglob("*.py"))]


def _providers(module: str) -> list[str]:
    """Return the installed distributions that provide a module; most are named like it."""
    try:
        return [importlib.metadata.distribution(module).metadata["Name"]]
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return sorted(set(importlib.metadata.packages_distributions().get(module, [])))


def _closure(name: str) -> Versions:
    """Return the versions of a distribution and of all that it requires, as far as they are installed."""
    found: Versions = {}
    waiting = [name]
    while waiting:
        normal = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if normal in found:
            continue
        try:
            distribution = importlib.metadata.distribution(normal)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[normal] = distribution.version
        waiting += _requirements(distribution)
    return found


def _requirements(distribution: importlib.metadata.Distribution) -> Iterator[str]:
    for line in distribution.requires or []:
        if "extra ==" not in line and (match := re.match(r"[A-Za-z0-9._-]+", line)):
            yield match[0]
