"""What a run read, and how that has changed since. Pure: `codeout.cache.input_reader` looks at the machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["file", "folder", "status", "package", "program", "variable", "missing", "entry_points"]
Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*$", max_length=4_096)]

MAX_NAMES = 5
"""That a description lists of many."""


class Observation(msgspec.Struct, frozen=True, array_like=True):
    """Something that a kernel has seen its blocks read, as it was at that moment."""

    kind: Kind
    name: Name
    """An absolute path, or the name of a program or variable."""
    state: str | tuple[int, int, int, int] | None
    """Of a file: size, modification time in ns, inode, change time in ns; of other things a word, or None if absent."""


class Input(msgspec.Struct, frozen=True, array_like=True):
    """Something that a run read. A run is a hit only if all of its session's inputs are unchanged."""

    kind: Kind
    """What was read:

    - "file": the content of a file; "folder": the names in a folder; "status": whether a path exists, and its size
    - "package": an installed distribution; "entry_points": the plugins that all distributions declare
    - "program": a program that was started; "variable": an environment variable
    - "missing": modules that a folder did not have when they were imported, with commas between them; a slash behind
      the name says that it did not even have a folder without Python of that name
    """
    name: Name
    """Relative to the site's folder where possible, so that it means the same on another machine."""
    digest: str
    """Differs if the content does; empty if there was none."""
    left: str | None = None
    """The digest of what a later block of the same session has left of it; None if none has changed it."""

    def is_unchanged(self, digest: str) -> bool:
        """Return whether a digest is that of what was read, or of what the session itself has left of it."""
        return digest in (self.digest, self.left)


def describe_input(input_: Input) -> str:
    """Return an input in words, without its state."""
    match input_.kind:
        case "missing":
            names = [*dict.fromkeys(input_.digest.replace("/", "").split(","))]
            more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
            return f"no {', '.join(names[:MAX_NAMES])}{more} in {input_.name}"
        case "entry_points":
            return "plugins of installed packages"
        case "package":
            return f"package {input_.name} {_version(input_.digest)}"
        case "variable":
            return f"variable {input_.name}"
        case kind:
            return f"{kind} {input_.name}" + ("" if input_.digest else ", which does not exist")


def describe_change(old: Input, digest: str) -> str:
    """Describe how an input has changed; of missing modules, the digest is the names of those still missing."""
    match old.kind:
        case "missing":
            new_names = sorted({name.rstrip("/") for name in {*old.digest.split(",")} - {*digest.split(",")}})
            return f"{old.name}/{', '.join(new_names)} now exists"
        case "entry_points":
            return "the plugins of installed packages changed"
        case "package":
            before, after = _version(old.digest), _version(digest)
            return f"{old.name} {before} → {after}" if before != after else f"{old.name} {before}: reinstalled, changed"
        case "program" | "variable":
            return f"{old.kind} {old.name}: " + ("changed" if old.digest and digest else _describe_existence(digest))
    if not (old.digest and digest):
        return f"{old.name} {_describe_existence(digest)}"
    return f"{old.name}: " + {"folder": "other files in it", "status": "other size"}.get(old.kind, "content changed")


def local_files(inputs: Iterable[Input]) -> list[str]:
    """Return the paths of the files among inputs that are in the site's folder."""
    files = (input_ for input_ in inputs if input_.kind == "file" and input_.digest)
    return [file.name for file in files if not is_elsewhere(file.name)]


def is_elsewhere(name: str) -> bool:
    """Return whether a path is not relative to the site's folder."""
    return name.startswith(("/", "<", "..")) or ":" in name


def _describe_existence(digest: str) -> str:
    return "now exists" if digest else "is gone"


def _version(digest: str) -> str:
    return digest.partition(" ")[0] or "none"
