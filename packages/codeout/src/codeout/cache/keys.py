"""The cache key of a block: a digest of what is known before it runs: its code, its session's, settings and machine.

What a run turned out to read is stored with it, and checked when it is looked up. Pure functions, no I/O: `environment`
reads the machine, this module adds up what it is given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

import msgspec

from codeout.model.blocks import Block, Session, is_same_program
from codeout.model.inputs import Input
from codeout.model.outputs import Run

KEY_VARIABLES = ("TZ", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "SYSTEMROOT")
"""Environment variables that blocks always see: they change outputs, or programs need them to start."""
CONFIG_FOLDER = "MKDOCS_CONFIG_DIR"
"""The variable in which blocks find the site's folder, as in markdown-exec; it differs from machine to machine."""
FORMAT = 10
"""The format of entries; raise it when captured outputs change shape, and every entry on disk is a miss."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What a run depends on besides code and data."""

    python: str
    """The version of Python."""
    platform: str
    """Operating system and processor."""
    device: str
    """The accelerator, or `CPU`."""
    packages: tuple[tuple[str, str], ...]
    """(name, version) of the distributions that the setting `packages` names, sorted."""
    variables: tuple[tuple[str, str], ...]
    """(name, digest of the value) of environment variables, sorted."""


class File(msgspec.Struct, frozen=True):
    """A file that a block depends on."""

    path: str
    """Relative to the site's folder where possible."""
    digest: str


class KeyedCode(msgspec.Struct, frozen=True):
    """One block as its key sees it."""

    code: str
    options: tuple[str, ...]
    """Those that can change the output."""
    own_options: tuple[str, ...] = ()
    """Those that can change its output, but not what the blocks below it find."""


class Key(msgspec.Struct, frozen=True):
    """The name of a run; the same code in another environment has the same first part."""

    code: str
    """Digest of the code and the files that it depends on."""
    environment: str
    trace: str = ""
    """Digest of what the session had read when the block ended; empty as long as that is not known."""

    def __str__(self) -> str:
        return "-".join(part for part in (self.code, self.environment, self.trace) if part)


class KeyInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a block's cache key covers; stored with a run, it explains later why the run is stale."""

    environment: Environment
    session: str
    """The page and the session, since outputs may name them, and two sessions may draw different random numbers."""
    settings: tuple[str, ...]
    """Those that change what a block finds when it runs."""
    files: tuple[File, ...]
    """The prelude, and the files of the setting `data`."""
    codes: tuple[str, ...]
    """Digests of the blocks above it and, last, of the block itself."""

    @property
    def key(self) -> Key:
        """The cache key."""
        code = digest(FORMAT, self.session, self.settings, self.files, self.codes)[:40]
        return Key(code, digest(FORMAT, self.environment)[:16])


class KeyedSession(msgspec.Struct, frozen=True):
    """A session with the key inputs of each of its blocks."""

    session: Session
    inputs: tuple[KeyInputs, ...]
    """One for each block, in the same order."""
    keys: tuple[Key, ...]
    """Theirs; they are digests, so each is computed once."""

    def __iter__(self) -> Iterator[tuple[Block, KeyInputs]]:
        return zip(self.session.blocks, self.inputs, strict=True)

    def __len__(self) -> int:
        return len(self.inputs)


def digest(*parts: object) -> str:
    """Return the hexadecimal SHA-256 of values whose `repr` distinguishes them."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def add_trace(trace: str, inputs: Iterable[Input]) -> str:
    """Return the trace of a run: of the blocks above it, and of what it read itself."""
    return digest(trace, *((input_.kind, input_.name, input_.digest) for input_ in inputs))[:16]


def trace_keys(keyed: KeyedSession, runs: Iterable[Run]) -> list[Key]:
    """Return the keys of the first blocks of a session with what their runs have read."""
    trace, keys = "", []
    for key, run in zip(keyed.keys, runs, strict=False):
        trace = add_trace(trace, run.inputs)
        keys.append(msgspec.structs.replace(key, trace=trace))
    return keys


def accumulate_inputs(
    steps: Sequence[KeyedCode], environment: Environment, session: str, settings: Sequence[str], files: Iterable[File]
) -> list[KeyInputs]:
    """Return the key inputs of each block of a session; each covers the blocks above it."""
    codes: list[tuple[str, ...]] = []
    codes_above: list[str] = []
    for step in steps:
        code = normalize(step.code)
        codes.append((*codes_above, digest(code, (*step.options, *step.own_options))[:40]))
        codes_above.append(digest(code, step.options)[:40])
    shared_files = tuple(files)
    return [
        KeyInputs(environment=environment, session=session, settings=tuple(settings), files=shared_files, codes=each)
        for each in codes
    ]


def describe_changes(old: KeyInputs, new: KeyInputs) -> list[str]:
    """Describe what changed from one version of a block's key inputs to another."""
    before, after = old.environment, new.environment
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in ("python", "platform", "device")]
    changes = [f"{name} {one} → {other}" for name, one, other in pairs if one != other]
    changes += _compare(dict(before.packages), dict(after.packages), "{name} {old} → {new}")
    changes += _compare(dict(before.variables), dict(after.variables), "${name} changed")
    if old.settings != new.settings:
        changes.append("the settings changed")
    old_files, new_files = ({file.path: file.digest for file in inputs.files} for inputs in (old, new))
    changes += _compare(old_files, new_files, "{name} changed")
    if old.codes[-1] != new.codes[-1]:
        changes.append("its own code changed")
    if old.codes[:-1] != new.codes[:-1]:
        codes = enumerate(zip(old.codes[:-1], new.codes[:-1], strict=False), start=1)
        first = next((number for number, (one, other) in codes if one != other), None)
        same_length = len(old.codes) == len(new.codes)
        changes.append(f"block {first} above it changed" if first and same_length else "the blocks above it changed")
    return changes


def _compare(old: Mapping[str, str], new: Mapping[str, str], template: str) -> list[str]:
    return [
        template.format(name=name, old=old.get(name, "none"), new=new.get(name, "none"))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


@cache
def normalize(code: str) -> str:
    """Return code without the white space that cannot change what it does: at the ends of lines, and around it."""
    stripped_code = "\n".join(line.rstrip() for line in code.strip("\n").split("\n"))
    return stripped_code if stripped_code == code or is_same_program(stripped_code, code) else code
