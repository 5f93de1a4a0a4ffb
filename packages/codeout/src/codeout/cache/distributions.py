"""Installed packages, from their metadata and without importing any: which files belong to which, and their content.

Reading the metadata of a hundred packages takes about 0.1 s, so the result is stored in the cache's folder until a
package is installed, upgraded or removed, which changes the modification time of the folder of packages.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec

from codeout.cache.files import read_sealed, write_sealed

MAX_MEMO_BYTES = 50_000_000
SCRIPTS = ("console_scripts", "gui_scripts")  # groups of entry points that no library loads


class _Package(msgspec.Struct, array_like=True, frozen=True):
    """An installed distribution."""

    version: str
    record: str
    """The path of the file that lists the digests of its files; of its metadata if there is none."""


class _Installation(msgspec.Struct):
    """What is installed for this Python."""

    stamp: list[str]
    packages: dict[str, _Package]
    """By normalized name."""
    owners: dict[str, list[str]]
    """The names of the packages that own something directly in the folder of packages, by its name there."""
    entry_points: str
    """A digest of those that libraries look for to find plugins."""


_decoder = msgspec.json.Decoder(_Installation)


class InstalledPackages(msgspec.Struct):
    """The packages of this Python, as of the last `refresh`."""

    memo: Path
    """The file that stores them between builds; it may be deleted at any time."""
    _installation: _Installation = msgspec.field(default_factory=lambda: _Installation([], {}, {}, ""))

    def version(self, name: str) -> str:
        """Return the version of a package; an empty string if it is not installed."""
        package = self._installation.packages.get(normalize_name(name))
        return package.version if package else ""

    def record(self, name: str) -> Path | None:
        """Return the file that lists the digests of a package's files; None if it is not installed."""
        package = self._installation.packages.get(normalize_name(name))
        return Path(package.record) if package else None

    def owners(self, name: str) -> Sequence[str]:
        """Return the packages that own something with this name, directly in the folder of packages."""
        return self._installation.owners.get(name, ())

    def entry_points(self) -> str:
        """Return a digest of the entry points that libraries look for to find plugins."""
        return self._installation.entry_points

    def refresh(self) -> None:
        """Look whether packages have been installed, upgraded or removed."""
        stamp = installation_stamp()
        if stamp != self._installation.stamp:
            try:
                self._installation = read_sealed(self.memo, _decoder, MAX_MEMO_BYTES)
            except (OSError, ValueError):
                self._installation = _Installation([], {}, {}, "")
            if stamp != self._installation.stamp:
                self._installation = _read_installation(stamp)
                with contextlib.suppress(OSError):  # storing the next run fails, too, and reports it
                    write_sealed(self.memo, msgspec.json.encode(self._installation, order="deterministic"))


def package_folders() -> list[Path]:
    """Return the folders of installed packages, in the order in which Python searches them."""
    return [Path(entry) for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]


def installation_stamp() -> list[str]:
    """Return a value that changes when a package is installed, upgraded or removed."""
    return [sys.version, *(f"{folder} {folder.stat().st_mtime_ns}" for folder in package_folders() if folder.is_dir())]


@cache  # imported code does not change while the process runs
def engine_stamp() -> list[int]:
    """Return a value that changes when the code of codeout is edited or upgraded."""
    return [file.stat().st_mtime_ns for file in sorted(Path(__file__).parents[1].rglob("*.py"))]


def local_stamp() -> list[tuple[str, int]]:
    """Return a value that changes when a loaded module is edited that is not installed, such as a site's extension."""
    library = str(Path(json.__file__).parents[1])
    files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    python_files = (file for file in files if file.endswith(".py") and "-packages" not in file)
    local = [file for file in python_files if not file.startswith(library)]
    return [(file, Path(file).stat().st_mtime_ns) for file in sorted(local) if Path(file).is_file()]


def normalize_name(name: str) -> str:
    """Return the name of a package in the one spelling that all its spellings share."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _read_installation(stamp: list[str]) -> _Installation:
    installation = _Installation(stamp, {}, {}, "")
    entry_points = []
    for folder in package_folders():
        for distribution in importlib.metadata.distributions(path=[str(folder)]):
            name = normalize_name(distribution.metadata["Name"] or "")
            if name and name not in installation.packages:  # an earlier folder hides those of later ones
                installation.packages[name] = _Package(distribution.version, str(_record_of(distribution, folder)))
                for top in sorted(_top_names(distribution)):
                    installation.owners.setdefault(top, []).append(name)
                entry_points += [(name, e.group, e.name, e.value) for e in distribution.entry_points]
    plugins = sorted(entry_point for entry_point in entry_points if entry_point[1] not in SCRIPTS)
    installation.entry_points = hashlib.sha256(repr(plugins).encode()).hexdigest()
    return installation


def _record_of(distribution: importlib.metadata.Distribution, folder: Path) -> Path:
    """Return the first that there is of: what lists a package's files with digests, without, and its metadata."""
    metadata_folder = Path(str(getattr(distribution, "_path", folder)))
    names = ("RECORD", "installed-files.txt", "METADATA", "PKG-INFO")
    candidates = (metadata_folder / name for name in names)
    return next((path for path in candidates if path.is_file()), metadata_folder)


def _top_names(distribution: importlib.metadata.Distribution) -> Iterator[str]:
    record = distribution.read_text("RECORD")
    if record is None:  # installed by another tool than pip
        yield from {file.parts[0] for file in distribution.files or []}
        yield from (distribution.read_text("top_level.txt") or "").split()
        return
    for line in {line.partition(",")[0].strip('"').partition("/")[0] for line in record.splitlines()}:
        if line not in ("", "..", "__pycache__"):
            yield line
