"""What a run read, and how that has changed since. Pure: `codeout.cache.input_reader` looks at the machine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["file", "folder", "status", "link", "missing", "package", "entry_points"]
Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*$", max_length=4_096)]

MAX_NAMES = 5
"""That a description lists of many."""
NAMES_SEPARATOR = "\0"
"""Between the names of what was missing in a folder: no path can hold it."""
MODULE_FILE = re.compile(r"(?:/__init__)?(?:\.(?:cpython|abi3|cp)[\w-]*)?\.(?:py|so|pyd)$")
"""The end of each path at which Python looks for a module."""


class Observation(msgspec.Struct, frozen=True, array_like=True):
    """Something that a kernel has seen its blocks read, as it was at that moment."""

    kind: Kind
    name: Name
    """An absolute path; with what was missing, of the folder that was there. `file_states.encode_name` makes it."""
    state: str | tuple[int, int, int, int] | None
    """Of a file: size, modification time in ns, inode, change time in ns; of other things a word, or None if absent."""


class Input(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Something that a run read. A run is a hit only if all of its session's inputs are unchanged."""

    kind: Kind
    """What was read:

    - "file": the content of a file; "folder": the names in a folder; "link": where a symbolic link leads
    - "status": whether a path exists, and its size; "missing": paths that a folder did not have, relative to it
    - "package": an installed distribution; "entry_points": which distributions there are, and the plugins that they
      declare
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
            names = _modules(input_.digest.split(NAMES_SEPARATOR))
            more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
            return f"no {', '.join(names[:MAX_NAMES])}{more} in {input_.name}"
        case "entry_points":
            return "plugins of installed packages"
        case "package":
            return f"package {input_.name} {_version(input_.digest)}"
        case kind:
            return f"{kind} {input_.name}" + ("" if input_.digest else ", which does not exist")


def describe_change(old: Input, digest: str) -> str:
    """Describe how an input has changed to a digest; of the kind "missing", to the names that still are."""
    existence = "now exists" if digest else "is gone"
    match old.kind:
        case "missing":
            new_names = sorted({*old.digest.split(NAMES_SEPARATOR)} - {*digest.split(NAMES_SEPARATOR)})
            return f"{'' if old.name == '.' else f'{old.name}/'}{', '.join(new_names)} now exists"
        case "entry_points":
            return "the plugins of installed packages changed"
        case "package":
            before, after = _version(old.digest), _version(digest)
            return f"{old.name} {before} → {after}" if before != after else f"{old.name} {before}: reinstalled, changed"
        case "link":
            return f"{old.name} leads elsewhere" if digest else f"{old.name} is gone"
    if not (old.digest and digest):
        return f"{old.name} {existence}"
    return f"{old.name}: " + {"folder": "other files in it", "status": "other size or kind"}.get(
        old.kind, "content changed"
    )


def _modules(names: Sequence[str]) -> list[str]:
    """Return paths with one name for all at which Python looks for a module, if there are several."""
    stems = [MODULE_FILE.sub("", name) for name in names]
    counts = Counter(stems)
    return [*dict.fromkeys(stem if counts[stem] > 1 else name for stem, name in zip(stems, names, strict=True))]


def is_elsewhere(name: str) -> bool:
    """Return whether a path is not relative to the site's folder."""
    return name.startswith(("/", "<", "..")) or ":" in name


def _version(digest: str) -> str:
    return digest.partition(" ")[0] or "none"
