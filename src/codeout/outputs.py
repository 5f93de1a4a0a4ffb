"""What a block can produce: a closed set of types, their JSON form, and what a terminal would show of a text.

Values in, values out: nothing here opens a file or starts a process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby
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
    kind: str  # "original", "mirror", "stand-in" ...
    note: str

    @property
    def standin(self) -> bool:
        """Whether it is not the real thing: a reader must be told."""
        return self.kind == "stand-in"


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
    varies: bool = False  # the page says that it is measured, and never the same twice

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
    return told | {"modules": run.modules, "values": dict(run.values), "varies": run.varies}


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
        run = Run(outputs, Provenance(**told), str(content["origin"]), modules, values, bool(content["varies"]))
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


def tidy(outputs: Iterable[Output]) -> Iterator[Output]:
    """Yield outputs as a screen would end up showing them: each run of stream text goes through a terminal."""
    for is_text, group in groupby(outputs, lambda output: isinstance(output, Stream)):
        if is_text:
            yield from terminal(output for output in group if isinstance(output, Stream))
        else:
            yield from group


_TOKENS = re.compile(
    r"\x1b\[(?P<parameters>[0-9;?]*)[ -/]*(?P<command>[@-~])"  # a control sequence: cursor moves, erasing, colours
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # a title or a link
    r"|\x1b[@-Z\\-_]"
    r"|(?P<control>[\r\n\b])"
    r"|(?P<text>[^\x00-\x08\x0a-\x1f\x7f]+)"
    r"|[\x00-\x1f\x7f]"
)


def terminal(streams: Iterable[Stream]) -> Iterator[Stream]:
    """Yield what a terminal would show in the end of text that two channels wrote to it.

    Carriage returns, backspaces, cursor moves and erasing take effect; colours and other controls vanish.
    """
    screen = _Screen()
    for stream in streams:
        for token in _TOKENS.finditer(stream.text):
            if text := token["text"]:
                screen.write(text, stream.name)
            elif control := token["control"]:
                screen.control(control, stream.name)
            elif command := token["command"]:
                screen.command(command, token["parameters"])
    for name, cells in groupby(screen.cells(), lambda cell: cell[1]):
        yield Stream(name, "".join(character for character, _ in cells))


class _Screen:
    """An endless sheet with a cursor; each cell knows the channel that wrote it."""

    def __init__(self) -> None:
        self._lines: list[list[tuple[str, Channel]]] = [[]]
        self._ends: list[Channel | None] = [None]  # who ended each line; nobody has ended the last one
        self._row = self._column = 0

    def cells(self) -> Iterator[tuple[str, Channel]]:
        for line, end in zip(self._lines, self._ends, strict=True):
            yield from line
            if end:
                yield "\n", end

    def write(self, text: str, name: Channel) -> None:
        line = self._lines[self._row]
        line.extend((" ", name) for _ in range(self._column - len(line)))
        line[self._column : self._column + len(text)] = [(character, name) for character in text]
        self._column += len(text)

    def control(self, control: str, name: Channel) -> None:
        if control == "\n":
            self._ends[self._row] = self._ends[self._row] or name
            self._row += 1
            if self._row == len(self._lines):
                self._lines.append([])
                self._ends.append(None)
        self._column = max(self._column - 1, 0) if control == "\b" else 0

    def command(self, command: str, parameters: str) -> None:
        """Carry out one control sequence (ECMA-48, section 8.3)."""
        first = parameters.split(";", 1)[0]
        count = int(first) if first.isdigit() else 0
        if command in "ABEF":
            step = max(count, 1) if command in "BE" else -max(count, 1)
            self._row = min(max(self._row + step, 0), len(self._lines) - 1)
            self._column = 0 if command in "EF" else self._column
        elif command == "C":
            self._column += max(count, 1)
        elif command == "D":
            self._column = max(self._column - max(count, 1), 0)
        elif command == "G":
            self._column = max(count, 1) - 1
        elif command == "K":
            line = self._lines[self._row]
            kept = {0: line[: self._column], 1: [(" ", n) for _, n in line[: self._column]] + line[self._column :]}
            self._lines[self._row] = kept.get(count, [])
        elif command == "J" and count in (2, 3):
            self._lines, self._ends, self._row, self._column = [[]], [None], 0, 0
