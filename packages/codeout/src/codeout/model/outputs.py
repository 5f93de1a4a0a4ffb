"""What a block can produce: a closed set of types, and their JSON form.

Values in, values out: nothing here opens a file or starts a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

Channel: TypeAlias = Literal["stdout", "stderr"]
Bundle: TypeAlias = Mapping[str, str]  # MIME type → data; what is not text is base64, as in a notebook
Scalar: TypeAlias = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Stream:
    """Text that went to stdout or stderr."""

    name: Channel
    text: str


@dataclass(frozen=True, slots=True)
class Value:
    """The last expression of a block, or an object that the block displayed."""

    data: Bundle


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture of a plotting library, with the words that stand for it where it cannot be seen."""

    data: Bundle
    alt: str


@dataclass(frozen=True, slots=True)
class Error:
    """The exception that ended a block."""

    type: str
    message: str
    traceback: str  # begins at the author's line; no frames of ours
    line: int | None  # 1-based, in the file the block comes from
    bases: tuple[str, ...] = ()  # the names of the classes that it derives from

    def is_a(self, name: str) -> bool:
        """Return whether `except NAME` would have caught it."""
        return bool(name) and name in (self.type, *self.bases)


Output: TypeAlias = Stream | Value | Figure | Error


@dataclass(frozen=True, slots=True)
class Source:
    """Where data came from, as its `source.json` says."""

    name: str
    kind: str  # "original", "mirror", "placeholder" ...
    note: str

    @property
    def placeholder(self) -> bool:
        """Whether it is not the real thing: a reader must be told."""
        return self.kind == "placeholder"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where, when and with what a block ran."""

    device: str
    python: str
    packages: tuple[tuple[str, str], ...]  # (name, version)
    seconds: float
    date: str  # ISO 8601, UTC
    sources: tuple[Source, ...]
    code: str = ""  # the beginning of the key: of the code, and of the files that it depends on


@dataclass(frozen=True, slots=True)
class Run:
    """All that one block produced in one environment."""

    outputs: tuple[Output, ...]
    provenance: Provenance
    origin: str = ""  # `path:line` of its code when it ran
    modules: tuple[tuple[str, str], ...] = ()  # (path, digest) of the author's modules that were loaded
    values: Mapping[str, Scalar] = field(default_factory=dict)  # what the block bound names to; prose may name them
    measured: bool = False  # the page says that it is measured, and never the same twice

    @property
    def error(self) -> Error | None:
        """The exception that ended the block, if one did."""
        return next((output for output in self.outputs if isinstance(output, Error)), None)

    def mentions(self, path: str) -> bool:
        """Return whether a text of its outputs names a file, and so perhaps a line of it."""
        texts = (
            o.text if isinstance(o, Stream) else o.traceback for o in self.outputs if isinstance(o, Stream | Error)
        )
        return any(path in text for text in texts)


def size(run: Run) -> int:
    """Return how many characters the outputs of a run take."""
    found = 0
    for output in run.outputs:
        match output:
            case Stream(_, text):
                found += len(text)
            case Value(data) | Figure(data, _):
                found += sum(len(part) for part in data.values())
            case Error(_, _, traceback):
                found += len(traceback)
    return found


def as_text(run: Run) -> str:
    """Return what a terminal can show of a run."""
    parts = []
    for output in run.outputs:
        match output:
            case Stream(_, text):
                parts.append(text)
            case Value(data):
                parts.append(data.get("text/plain", f"[{', '.join(data)}]") + "\n")
            case Figure(_, alt):
                parts.append(f"[figure: {alt}]\n")
            case Error(_, _, traceback):
                parts.append(traceback.rstrip() + "\n")
    return "".join(parts)


_KINDS: dict[str, type[Stream | Value | Figure | Error]] = {
    "stream": Stream,
    "value": Value,
    "figure": Figure,
    "error": Error,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_json(run: Run) -> dict[str, Any]:
    """Return a run as plain JSON values."""
    outputs = [{"kind": _NAMES[type(output)], **asdict(output)} for output in run.outputs]
    told = {"outputs": outputs, "provenance": asdict(run.provenance), "origin": run.origin}
    return told | {"modules": run.modules, "values": dict(run.values), "measured": run.measured}


def from_json(content: Mapping[str, Any]) -> Run:
    """Return the run that `to_json` wrote.

    Raises:
        ValueError: it did not write this.
    """
    try:
        outputs = tuple(_KINDS[o["kind"]](**_fields(o)) for o in content["outputs"])
        told = dict(content["provenance"])
        told["packages"] = tuple((str(name), str(version)) for name, version in told["packages"])
        told["sources"] = tuple(Source(**source) for source in told["sources"])
        modules = tuple((str(path), str(digest)) for path, digest in content["modules"])
        values = {str(name): value for name, value in content["values"].items()}
        run = Run(outputs, Provenance(**told), str(content["origin"]), modules, values, bool(content["measured"]))
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        raise ValueError(f"not a run: {problem!r}") from problem
    if not _sound_provenance(run.provenance):
        raise ValueError("not a run: what it says of itself has a field of the wrong kind")
    if not all(_sound(output) for output in run.outputs):
        raise ValueError("not a run: an output has a field of the wrong kind")
    if not all(isinstance(value, Scalar) for value in values.values()):
        raise ValueError("not a run: a value is no number and no text")
    return run


def _fields(output: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: part for name, part in output.items() if name != "kind"}
    return told | {"bases": tuple(told["bases"])} if "bases" in told else told


def _sound_provenance(told: Provenance) -> bool:
    words = [told.device, told.python, told.date, told.code]
    words += [word for source in told.sources for word in (source.name, source.kind, source.note)]
    return all(isinstance(word, str) for word in words) and isinstance(told.seconds, int | float)


def _sound(output: Output) -> bool:
    match output:
        case Stream(name, text):
            return name in ("stdout", "stderr") and isinstance(text, str)
        case Value(data) | Figure(data):
            words = [getattr(output, "alt", "")]
            words += [part for pair in data.items() for part in pair] if isinstance(data, Mapping) else [None]
            return all(isinstance(word, str) for word in words)
        case Error(kind, message, traceback, line):
            words = [kind, message, traceback, *output.bases]
            return all(isinstance(word, str) for word in words) and isinstance(line, int | None)
