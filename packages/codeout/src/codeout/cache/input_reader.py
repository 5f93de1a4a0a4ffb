"""What inputs are on this machine now. Digests of files are remembered, so that an unchanged file costs a `stat`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence, Set
from functools import cached_property
from pathlib import Path

import msgspec

from codeout.cache.distributions import InstalledPackages, package_folders
from codeout.cache.files import load_memo, save_memo
from codeout.config import Config
from codeout.kernel.file_states import (
    Status,
    describe_path,
    digest_file,
    digest_names,
    digest_text,
    is_recent,
    status_of,
)
from codeout.kernel.places import is_missing
from codeout.model.inputs import Input, Kind, Observation, is_elsewhere
from codeout.model.outputs import Run

PASSED_VARIABLES = ("PATH", "SYSTEMROOT", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")
"""Environment variables that every kernel is given, since programs need them to start; an input where they are read."""
PATH_KINDS = ("file", "folder", "status", "missing")
"""Inputs whose name is a path."""
LEFT_KINDS = ("file", "folder", "status")
"""Those of which a later block of the same session can leave something else."""
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
                    inputs[input_.kind, input_.name] = Input(
                        kind="missing", name=input_.name, digest=f"{old.digest},{input_.digest}"
                    )
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
            case "program":
                program = shutil.which(name)
                return self._digest(program) if program else ""
            case "variable":
                return digest_text(os.environ.get(name, ""))
            case "missing":
                return ",".join(_still_missing(self.path(name), old.split(",")))

    def path(self, name: str) -> str:
        """Return the absolute path of an input."""
        for alias, folder in self._aliases:
            if name.startswith(alias):
                return folder + name[len(alias) :]
        return name if is_elsewhere(name) else os.path.join(self._root, name)

    def paths(self, runs: Iterable[Run]) -> set[str]:
        """Return the absolute paths that runs depend on, but for those of Python and of installed packages."""
        inputs = {input_ for run in runs for input_ in run.inputs if input_.kind in PATH_KINDS}
        return {self.path(input_.name) for input_ in inputs if not input_.name.startswith("<")}

    def listed_folders(self, inputs: Iterable[Input]) -> set[str]:
        """Return the absolute paths of the folders of which inputs are the names in them."""
        return {self.path(each.name) for each in inputs if each.kind == "folder"}

    def note_left(self, inputs: Sequence[Input], written: Set[str]) -> tuple[Input, ...]:
        """Return the inputs of a block with what a later one of the same session has left of them.

        That one has created, changed or removed the absolute paths that are `written`.
        """
        parents = {os.path.dirname(path) for path in written}

        def with_left(old: Input) -> Input:
            path = self.path(old.name)
            above = [path[:end] for end, character in enumerate(path) if character == os.sep and end]
            if path in written or (old.kind == "folder" and path in parents) or not written.isdisjoint(above):
                return msgspec.structs.replace(old, left=self.read(old.kind, old.name))
            return old

        return tuple(with_left(old) if written and old.kind in LEFT_KINDS else old for old in inputs)

    def save(self) -> None:
        """Write down the digests that are new."""
        if not self._is_saved:
            self._is_saved = True
            save_memo(self._memo_file, _Memo(dict(list(self._files.items())[-MAX_REMEMBERED:])))

    def _resolve(self, observation: Observation) -> list[Input | None]:
        """Return an observation as inputs; None stands for a file that has changed since it was read."""
        kind, path, state = observation.kind, observation.name, observation.state
        if kind == "package":
            return list(self._owners(path))
        if kind == "program" and isinstance(state, tuple) and status_of(shutil.which(path) or path) != state:
            return [None]
        if kind in ("program", "entry_points", "variable"):
            is_input = kind != "variable" or path in PASSED_VARIABLES
            return [Input(kind=kind, name=path, digest=self.read(kind, path))] if is_input else []
        name = self._name(path)
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
        return memo.files if memo else {}


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


def _still_missing(folder: str, modules: Sequence[str]) -> Sequence[str]:
    """Return those modules that are still missing in a folder. One list of it spares a look for each of many."""
    try:
        stems = {name.partition(".")[0] for name in os.listdir(folder)}
    except OSError:
        return modules
    return [module for module in modules if module.rstrip("/") not in stems or is_missing(folder, module)]


def _files_below(folder: str) -> Sequence[str]:
    files = [os.path.join(top, name) for top, _, names in os.walk(folder) for name in names]
    return sorted(path for path in files if "__pycache__" not in path.split(os.sep))
