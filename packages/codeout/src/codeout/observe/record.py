"""What a session has read and changed: which paths, and the state that each had before the session first touched it.

What was there is an input, whatever the session does to it afterwards; what the session has made is none. An attempt
to change something counts only if the path is different afterwards. The supervisor tells a record of system calls, the
fallback of Python's audit events; both do so before the call goes on.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from copy import copy
from typing import Any

from codeout.observe.file_states import (
    Identity,
    describe_status,
    digest_file,
    digest_names,
    encode_name,
    identify,
    interpreter_of,
    is_recent,
    source_of,
    status_of,
)
from codeout.observe.places import Places

MAX_INTERPRETERS = 5  # of interpreters, execve(2)
State = None | str | tuple[int, int, int, int]
"""Of what was read: the status of a regular file, or a word; None if there was nothing."""
Observation = tuple[str, str, State]
"""Kind, name and state, as `codeout.model.inputs` has them."""


class Record:
    """What one process of a session, and all that it started, have touched."""

    def __init__(self, places: Places) -> None:
        """Take the places that count."""
        self._places = places
        self._noted: set[tuple[str, str]] = set()
        self._new: dict[tuple[str, str], Observation] = {}  # since the last `take`
        self._before: dict[str, Identity] = {}  # of what was changed
        self._made: set[str] = set()  # those of them that hold nothing but what the session has put there
        self._trees: set[str] = set()  # folders that it has made
        self._contents: dict[str, str] = {}  # digests of files before their first change
        self._names: dict[str, str] = {}  # digests of listings of folders before theirs
        self._written: dict[str, None] = {}  # since the last `take`
        self.seen: set[tuple[int, int, bytes]] = set()
        """Calls that told nothing new the second time; for the supervisor, which is quick about them."""
        self.used_network = False

    def copy(self) -> Record:
        """Return a record that goes on from here, as a fork of the process does."""
        twin = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, set | dict):
                setattr(twin, name, value.copy())
        twin.seen = set()
        return twin

    def take(self) -> dict[str, Any]:
        """Return what was touched since the last call, as fields of an event."""
        fields = {
            "observed": [
                (kind, encode_name(name), encode_name(state) if isinstance(state, str) else state)
                for kind, name, state in self._new.values()
            ],
            "written": [encode_name(path) for path in self._written],
            "used_network": self.used_network,
        }
        self._new, self._written, self.used_network = {}, {}, False
        return fields

    # ------------------------------------------------------------------------------------------------------- reading

    def look(self, path: str, *, follow: bool = True) -> None:
        """Note a path that is asked for, which may not exist."""
        if (here := self._locate(path, follow=follow)) and not self._is_own(here):
            self._look_at(here)

    def read(self, path: str) -> None:
        """Note a file that is opened, or a program that is started."""
        if (here := self._locate(path)) and not self._is_own(here):
            self._read_at(here)

    def start(self, path: str, folder: str) -> None:
        """Note a program that is started in a folder, and the one that interprets it, which the system opens itself."""
        for _ in range(MAX_INTERPRETERS):
            self.look(path)
            self.read(path)
            path = interpreter_of(path)
            if not path:
                break
            path = os.path.join(folder, path)

    def list(self, path: str) -> None:
        """Note a folder whose names are listed."""
        here = self._resolve(path)
        if here is None or not self._places.counts(here):
            return
        if here + os.sep in self._places.packages:
            self._note("entry_points", "", None)
        elif not self._note_package(here):
            names = self._names[here] if here in self._names else "" if self._is_own(here) else self._list(here)
            self._note("folder", here, names or None)

    # ------------------------------------------------------------------------------------------------------ changing

    def open(self, path: str, flags: int) -> None:
        """Note a file that is opened, with the flags of the system call."""
        access = flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
        if access == os.O_RDONLY and not flags & (os.O_CREAT | os.O_TRUNC):
            self.read(path)
            return
        here = self._locate(path)
        if here is None:
            return
        identity = identify(here)
        is_kept = not flags & os.O_TRUNC
        if identity is None:
            if is_kept or flags & os.O_EXCL or not flags & os.O_CREAT:
                self._look_at(here)
            if flags & os.O_CREAT:
                self._change(here, made=True)
        elif not stat.S_ISREG(identity[0]) or (flags & os.O_CREAT and flags & os.O_EXCL):
            self.look(path)  # it fails
        elif self._is_own(here):
            self._change(here, made=True)
        else:
            if is_kept and access != os.O_WRONLY:
                self._read_at(here)
            self._change(here, made=not is_kept, keeps=is_kept)

    def make(self, path: str, *, is_folder: bool = False) -> None:
        """Note a folder, a link or a special file that is created, which fails if there is something."""
        here = self._locate(path, follow=False)
        if here is None:
            return
        if identify(here) is not None:
            self.look(path, follow=False)
            return
        self._look_at(here)
        self._change(here, made=True)
        if is_folder:
            self._trees.add(here)
            self._names.setdefault(here, "")

    def remove(self, path: str) -> None:
        """Note a path that is removed."""
        self.look(path, follow=False)
        here = self._locate(path, follow=False)
        if here and identify(here) is not None:
            self._change(here)

    def rename(self, source: str, target: str) -> None:
        """Note a path that gets another name, so that what is read by that is what was there."""
        here, there = self._locate(source, follow=False), self._locate(target, follow=False)
        is_folder = os.path.isdir(source)
        if here and not self._is_own(here):
            for path in _files_below(here) if is_folder else [here]:
                self._read_at(path)
        if here:
            self._change(here)
        if there:
            self._change(there, made=True)
            if is_folder:
                self._trees.add(there)

    def link(self, source: str, target: str) -> None:
        """Note a file that gets a second name."""
        self.read(source)
        self.touch(source)
        self.make(target)

    def touch(self, path: str) -> None:
        """Note a file whose status changes while its content stays."""
        if (here := self._locate(path)) and self._is_pending(here):
            self._digest_before(here)

    # --------------------------------------------------------------------------------------------------------- inside

    def _locate(self, path: str, *, follow: bool = True) -> str | None:
        """Return where a path leads; None if that does not count, or its package says all about it."""
        here = self._resolve(path, follow=follow)
        if here is None or not self._places.counts(here) or self._note_package(here):
            return None
        return here

    def _resolve(self, path: str, *, follow: bool = True) -> str | None:
        try:
            here, links = self._places.locate(path, follow=follow)
        except (OSError, ValueError):  # nothing has such a name
            return None
        for link in links:
            if self._places.counts(link) and not self._places.package_folder(link) and not self._is_own(link):
                self._note("link", link, os.readlink(link))
        return here

    def _note_package(self, here: str) -> bool:
        """Note a path in a folder of packages by its name directly in that folder; return whether it is one."""
        folder = self._places.package_folder(here)
        if not folder:
            return False
        parts = here[len(folder) :].split(os.sep)
        if parts[0] == "__pycache__" and len(parts) > 1:
            parts = [parts[1].partition(".")[0] + ".py"]
        top = folder + parts[0]
        if ("package", top) in self._noted:
            return True
        if not os.path.lexists(top):
            return False
        if parts[-1] != "entry_points.txt":  # read for every package to find plugins, and noted as `entry_points`
            self._note("package", top, None)
        return True

    def _look_at(self, here: str) -> None:
        identity, before = identify(here), self._before.get(here)
        if here in self._before and before != identity:  # what the session has made of it is no input
            if before is not None and here in self._contents and here not in self._made:
                self._note("status", here, describe_status(*before[:2]))
        elif identity is None:
            folder, name = os.path.split(here)
            while not os.path.isdir(folder):
                folder, part = os.path.split(folder)
                name = os.path.join(part, name)
            self._note("missing", here, name, folder)
        elif stat.S_ISLNK(identity[0]):
            self._note("link", here, os.readlink(here))
        elif not self._places.is_above_root(here):
            self._note("status", here, describe_status(*identity[:2]))

    def _read_at(self, here: str) -> None:
        if here in self._contents:
            self._note("file", here, self._contents[here])
            return
        path = source if (source := source_of(here)) != here and status_of(source) else here
        if (status := status_of(path)) is None:
            self._look_at(here)
        elif ("file", path) not in self._noted:
            self._note("file", path, "sha256:" + _digest(path) if is_recent(status) else status)

    def _change(self, here: str, *, made: bool = False, keeps: bool = False) -> None:
        """Note that a path is about to change; what of its old state may still be asked for is taken now.

        Args:
            here: the path.
            made: whether nothing of what was there remains.
            keeps: whether a part of it does.
        """
        self.seen.clear()
        before = identify(here)
        if (keeps and here not in self._contents and here not in self._before) or self._is_pending(here):
            self._digest_before(here)
        if not keeps:
            self._places.forget_links()
            self._keep_names(os.path.dirname(here))
        self._before.setdefault(here, before)
        self._written[here] = None
        if made:
            self._made.add(here)

    def _is_pending(self, here: str) -> bool:
        """Return whether the content of a file is an input of which the parent has yet to make the digest."""
        observation = self._new.get(("file", here))
        return observation is not None and isinstance(observation[2], tuple)

    def _digest_before(self, here: str) -> None:
        self._contents[here] = "sha256:" + _digest(here)
        if ("file", here) in self._new:
            self._new["file", here] = ("file", here, self._contents[here])

    def _keep_names(self, folder: str) -> None:
        if folder not in self._names and ("folder", folder) not in self._noted and self._places.counts(folder):
            self._names[folder] = "" if self._is_own(folder) else self._list(folder)

    def _is_own(self, here: str) -> bool:
        """Return whether the session has made what is at a path."""
        if here in self._made:
            return identify(here) != self._before[here]  # an attempt that changed nothing is none
        return bool(self._trees) and any(folder in self._trees for folder in _folders_above(here)) and _exists(here)

    def _list(self, folder: str) -> str:
        parent, name = os.path.split(self._places.cache)
        return digest_names(folder, name if folder == parent else "")

    def _note(self, kind: str, path: str, state: State, name: str = "") -> None:
        if (kind, path) not in self._noted:
            self._noted.add((kind, path))
            self._new[kind, path] = (kind, name or path, state)


def _digest(path: str) -> str:
    try:
        return digest_file(path)
    except OSError:  # it may not be read, so nobody has
        return ""


def _exists(path: str) -> bool:
    return identify(path) is not None


def _folders_above(path: str) -> Iterator[str]:
    while (path := os.path.dirname(path)) != os.sep:
        yield path


def _files_below(folder: str) -> Iterator[str]:
    for top, _, names in os.walk(folder):
        yield from (os.path.join(top, name) for name in names)
