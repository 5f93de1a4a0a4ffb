"""What inputs are on this machine now. Digests of files are remembered, so that an unchanged file costs a `stat`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence, Set
from functools import cached_property
from pathlib import Path

import msgspec

from codeout.cache.distributions import InstalledPackages, package_folders
from codeout.cache.files import load_memo, save_memo
from codeout.config import Config
from codeout.model.inputs import NAMES_SEPARATOR, Input, Kind, Observation, is_elsewhere
from codeout.model.outputs import Run
from codeout.observe.file_states import (
    Status,
    decode_name,
    describe_path,
    digest_file,
    digest_names,
    encode_name,
    is_recent,
    status_of,
)

PATH_KINDS: tuple[Kind, ...] = ("file", "folder", "status", "link", "missing")
"""Inputs whose name is a path."""
MAX_REMEMBERED = 200_000  # files
UNKNOWN = "?"
"""The digest of a file that was changed after it was read."""


class _Memo(msgspec.Struct):
    files: dict[str, tuple[Status, str]]
    """The status of each file when its digest was made, and the digest."""


_decoder = msgspec.json.Decoder(_Memo)


class InputReader:
    """Reads inputs of a site. Any thread may use it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.packages = InstalledPackages(config.memo / "packages.json")
        self.packages.refresh()
        self._root = str(config.root.resolve())
        self._cache = config.path(config.cache)
        self._aliases = list(_aliases())
        self._memo_file = config.memo / "digests.json"
        self._is_saved = True

    def now(self) -> CurrentInputs:
        """Return what inputs are at this moment; for one look at many runs."""
        self.packages.refresh()
        return CurrentInputs(self)

    def resolve(self, observations: Iterable[Observation]) -> tuple[tuple[Input, ...], tuple[str, ...]]:
        """Return what a kernel has observed as inputs, and the names of the files that have changed since.

        What those held when they were read is not known, so these inputs count as changed for ever.
        """
        self.packages.refresh()
        inputs: dict[tuple[str, str], Input] = {}
        changed_names: list[str] = []
        for observation in observations:
            for input_ in self._resolve(observation):
                if input_ is None:
                    name = self._name(observation.name)
                    changed_names.append(name)
                    inputs[observation.kind, name] = Input(kind=observation.kind, name=name, digest=UNKNOWN)
                elif input_.kind == "missing" and (old := inputs.get((input_.kind, input_.name))):
                    names = f"{old.digest}{NAMES_SEPARATOR}{input_.digest}"
                    inputs[input_.kind, input_.name] = Input(kind="missing", name=input_.name, digest=names)
                else:
                    inputs.setdefault((input_.kind, input_.name), input_)
        return tuple(inputs[key] for key in sorted(inputs)), tuple(changed_names)

    def read(self, kind: Kind, name: str, old: str = "") -> str:
        """Return the digest of an input as it is now; `old` is that of a run, which names missing modules."""
        match kind:
            case "file":
                return self._digest(self.path(name))
            case "folder":
                folder = os.path.normpath(self.path(name))
                return digest_names(folder, self._cache.name if folder == str(self._cache.parent) else "")
            case "status":
                return describe_path(self.path(name))
            case "package":
                return self._package(name)
            case "entry_points":
                return self.packages.entry_points()
            case "link":
                return _link_target(self.path(name))
            case "missing":
                return NAMES_SEPARATOR.join(_still_missing(self.path(name), old.split(NAMES_SEPARATOR)))

    def path(self, name: str) -> str:
        """Return the absolute path of an input."""
        name = decode_name(name)
        for alias, folder in self._aliases:
            if name.startswith(alias):
                return folder + name[len(alias) :]
        return name if is_elsewhere(name) else os.path.normpath(os.path.join(self._root, name))

    def paths(self, runs: Iterable[Run]) -> set[str]:
        """Return the absolute paths that runs depend on, but for those of Python and of installed packages."""
        inputs = {input_ for run in runs for input_ in run.inputs if input_.kind in PATH_KINDS}
        return {self.path(input_.name) for input_ in inputs if not input_.name.startswith("<")}

    def are_touched(self, inputs: Iterable[Input], written: Set[str]) -> bool:
        """Return whether any input is something else now that these absolute paths were created, changed or removed."""
        return any(self._is_touched(each, written) for each in inputs) if written else False

    def note_left(self, inputs: Sequence[Input], written: Set[str], *, by_itself: bool = False) -> tuple[Input, ...]:
        """Return the inputs of a block with what its session has left of them, which has written some paths since.

        What the block has changed `by_itself`, and would read otherwise the next time, is for that to show: it counts
        only where it has removed something, or filled a folder.
        """

        def with_left(old: Input) -> Input:
            if not written or not self._is_touched(old, written):
                return old
            left = self.read(old.kind, old.name, old.digest)
            is_kept = by_itself and left and old.kind not in ("missing", "folder")
            return old if is_kept else msgspec.structs.replace(old, left=left)

        return tuple(map(with_left, inputs))

    def _is_touched(self, input_: Input, written: Set[str]) -> bool:
        if input_.kind not in PATH_KINDS:
            return False
        path = self.path(input_.name)
        if input_.kind == "missing":
            names = input_.digest.split(NAMES_SEPARATOR)
            below = (
                os.path.relpath(other, path) for other in written if other.startswith(path.rstrip(os.sep) + os.sep)
            )
            return any(name == other or name.startswith(other + os.sep) for other in below for name in names)
        if path in written or (input_.kind == "folder" and path in map(os.path.dirname, written)):
            return True
        return not written.isdisjoint(path[:end] for end, character in enumerate(path) if character == os.sep and end)

    def save(self) -> None:
        """Write down the digests that are new."""
        if not self._is_saved:
            self._is_saved = True
            save_memo(
                self._memo_file,
                _Memo({encode_name(path): entry for path, entry in list(self._files.items())[-MAX_REMEMBERED:]}),
            )

    def _resolve(self, observation: Observation) -> list[Input | None]:
        """Return an observation as inputs; None stands for a file that has changed since it was read."""
        kind, path, state = observation.kind, decode_name(observation.name), observation.state
        if kind == "package":
            return list(self._owners(path))
        if kind == "entry_points":
            return [Input(kind=kind, name="", digest=self.read(kind, ""))]
        name = self._name(observation.name)
        if not isinstance(state, tuple):
            return [Input(kind=kind, name=name, digest=(state or "").removeprefix("sha256:"))]
        digest = self._digest(path)
        return [Input(kind=kind, name=name, digest=digest) if status_of(path) == state else None]

    def _owners(self, path: str) -> Iterable[Input]:
        """Yield the packages to which something directly in a folder of packages belongs; itself if to none."""
        owners = self.packages.owners(os.path.basename(path))
        for owner in owners:
            yield Input(kind="package", name=owner, digest=self._package(owner))
        if not owners:
            files = [path] if os.path.isfile(path) else _files_below(path)
            yield from (Input(kind="file", name=self._name(file), digest=self._digest(file)) for file in files)
            if not files:
                yield Input(kind="status", name=self._name(path), digest=describe_path(path))

    def _package(self, name: str) -> str:
        package = self.packages.find(name)
        return f"{package.version} {self._digest(package.record)[:32]}" if package else ""

    def _name(self, path: str) -> str:
        """Return the name of a path, which means the same on other machines where possible."""
        for alias, folder in self._aliases:
            if path == folder or path.startswith(folder + os.sep):
                return alias + path[len(folder) :]
        if path == self._root:
            return "."
        is_inside = path.startswith(self._root + os.sep)
        return Path(path[len(self._root) + 1 :]).as_posix() if is_inside else path

    def _digest(self, path: str) -> str:
        """Return the digest of a regular file; what it is otherwise, and an empty string if it does not exist."""
        status = status_of(path)
        if status is None:
            return describe_path(path)
        if (entry := self._files.get(path)) and entry[0] == status:
            return entry[1]
        try:
            digest = digest_file(path)
        except OSError:
            return ""
        if status_of(path) == status and not is_recent(status):
            self._files.pop(path, None)  # so that the newest are last
            self._files[path] = status, digest
            self._is_saved = False
        return digest

    @cached_property
    def _files(self) -> dict[str, tuple[Status, str]]:
        memo = load_memo(self._memo_file, _decoder)
        return {decode_name(name): entry for name, entry in memo.files.items()} if memo else {}


class CurrentInputs(msgspec.Struct):
    """What inputs are at one moment: each is read once, however many runs have it."""

    reader: InputReader
    _digests: dict[tuple[str, str, str], str] = msgspec.field(default_factory=dict)

    def read(self, input_: Input) -> str:
        """Return the digest of an input now."""
        key = input_.kind, input_.name, input_.digest if input_.kind == "missing" else ""
        if key not in self._digests:
            self._digests[key] = self.reader.read(input_.kind, input_.name, input_.digest)
        return self._digests[key]

    def are_unchanged(self, inputs: Iterable[Input]) -> bool:
        """Return whether all of these inputs are as they were."""
        return all(input_.is_unchanged(self.read(input_)) for input_ in inputs)


def _aliases() -> Iterable[tuple[str, str]]:
    """Yield names for folders that differ from machine to machine."""
    for number, folder in enumerate(package_folders(), start=1):
        yield f"<packages{number}>", os.path.abspath(folder)
    yield "<prefix>", os.path.abspath(sys.prefix)
    yield "<base>", os.path.abspath(sys.base_prefix)


def _link_target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _still_missing(folder: str, names: Sequence[str]) -> Sequence[str]:
    """Return those paths below a folder that still lead nowhere. One list of it spares a look for each of many."""
    try:
        present = {*os.listdir(folder)}
    except OSError:
        return names
    return [name for name in names if name.partition("/")[0] not in present or not _leads_to_something(folder, name)]


def _leads_to_something(folder: str, name: str) -> bool:
    return os.path.lexists(os.path.join(folder, decode_name(name)))


def _files_below(folder: str) -> Sequence[str]:
    files = [os.path.join(top, name) for top, _, names in os.walk(folder) for name in names]
    return sorted(path for path in files if "__pycache__" not in path.split(os.sep))
