"""Installed packages, from their metadata and without importing any: which files belong to which, and their content.

Reading the metadata of a hundred packages takes about 0.1 s, so the result is stored in the cache's folder until a
package is installed, upgraded or removed, which changes the modification time of the folder of packages.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec

from codeout.cache.files import load_memo, save_memo

VERSION = re.compile(r"-[^-]*(?=\.(?:dist|egg)-info$)")  # in the name of a distribution's metadata
SCRIPTS = ("console_scripts", "gui_scripts")  # groups of entry points that no library loads


class Package(msgspec.Struct, array_like=True, frozen=True):
    """An installed distribution."""

    version: str
    record: str
    """The path of the file that lists the digests of its files; of its metadata if there is none."""


class _Installation(msgspec.Struct):
    stamp: list[str] = []
    packages: dict[str, Package] = {}
    """By normalized name."""
    owners: dict[str, list[str]] = {}
    """The names of the packages that own something directly in the folder of packages, by its name there."""
    entry_points: str = ""
    """A digest of what a list of the folders tells: which modules and distributions there are, and their plugins."""


_decoder = msgspec.json.Decoder(_Installation)


class InstalledPackages(msgspec.Struct):
    """The packages of this Python, as of the last `refresh`."""

    memo: Path
    """The file that stores them between builds; it may be deleted at any time."""
    _installation: _Installation = msgspec.field(default_factory=_Installation)

    def find(self, name: str) -> Package | None:
        """Return a package; None if it is not installed."""
        return self._installation.packages.get(normalize_name(name))

    def version(self, name: str) -> str:
        """Return the version of a package; an empty string if it is not installed."""
        package = self.find(name)
        return package.version if package else ""

    def owners(self, name: str) -> Sequence[str]:
        """Return the packages that own something with this name, directly in the folder of packages."""
        return self._installation.owners.get(name, ())

    def entry_points(self) -> str:
        """Return a digest of which modules and distributions there are, without versions, and of their plugins."""
        return self._installation.entry_points

    def refresh(self) -> None:
        """Look whether packages have been installed, upgraded or removed."""
        stamp = installation_stamp()
        if stamp != self._installation.stamp:
            self._installation = load_memo(self.memo, _decoder) or _Installation()
            if stamp != self._installation.stamp:
                self._installation = _read_installation(stamp)
                save_memo(self.memo, self._installation)


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
    installation, entry_points = _Installation(stamp), list[tuple[str, ...]]()
    for folder in package_folders():
        names = {VERSION.sub("", path.name) for path in folder.iterdir()} if folder.is_dir() else set()
        entry_points += [(name,) for name in names - {"__pycache__"}]
        for distribution in importlib.metadata.distributions(path=[str(folder)]):
            name = normalize_name(distribution.metadata["Name"] or "")
            if name and name not in installation.packages:  # an earlier folder hides those of later ones
                installation.packages[name] = Package(distribution.version, str(_record_of(distribution, folder)))
                for top in sorted(_top_names(distribution)):
                    installation.owners.setdefault(top, []).append(name)
                plugins = (point for point in distribution.entry_points if point.group not in SCRIPTS)
                entry_points += [(name, point.group, point.name, point.value) for point in plugins]
    installation.entry_points = hashlib.sha256(repr(sorted(entry_points)).encode()).hexdigest()
    return installation


def _record_of(distribution: importlib.metadata.Distribution, folder: Path) -> Path:
    """Return the first that there is of: what lists a package's files with digests, without, and its metadata."""
    metadata_folder = Path(str(getattr(distribution, "_path", folder)))
    names = ("RECORD", "installed-files.txt", "METADATA", "PKG-INFO")
    return next((metadata_folder / name for name in names if (metadata_folder / name).is_file()), metadata_folder)


def _top_names(distribution: importlib.metadata.Distribution) -> Iterator[str]:
    record = distribution.read_text("RECORD")
    if record is None:  # installed by another tool than pip
        yield from {file.parts[0] for file in distribution.files or []}
        yield from (distribution.read_text("top_level.txt") or "").split()
        return
    for line in {line.partition(",")[0].strip('"').partition("/")[0] for line in record.splitlines()}:
        if line not in ("", "..", "__pycache__"):
            yield line
