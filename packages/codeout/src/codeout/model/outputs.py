"""What a block can produce: a closed set of types. Pure: nothing here opens a file or starts a process.

All of them are msgspec structs, so that what is read from disk is checked against the types when it is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec

from codeout.model.inputs import Input

Channel: TypeAlias = Literal["stdout", "stderr"]
Observer: TypeAlias = Literal["system", "python"]
Bundle: TypeAlias = Mapping[str, str]
"""MIME type → data; binary data are in base64, as in a notebook."""
Scalar: TypeAlias = bool | int | float | str


class Stream(msgspec.Struct, frozen=True, tag_field="kind", tag="stream"):
    """Text that a block wrote to stdout or stderr."""

    name: Channel
    text: str


class Value(msgspec.Struct, frozen=True, tag_field="kind", tag="value"):
    """The last expression of a block, or an object that the block displayed."""

    data: Bundle
    width: int = 0
    """The width in pixels that was asked for, if it is a picture; 0 if none was."""


class Figure(msgspec.Struct, frozen=True, tag_field="kind", tag="figure"):
    """A picture of a plotting library."""

    data: Bundle
    """Its representations, most often `image/svg+xml` or `image/png`."""
    alt: str
    width: int = 0
    """The width in pixels that was asked for; 0 if none was."""


class Error(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="error"):
    """The exception that ended a block."""

    type: str
    message: str
    traceback: str
    """From the author's first line on; it has no frames of the engine."""
    line: int | None
    """Line, counted from 1, in the file that holds the block's code; None if no line of it is involved."""
    bases: tuple[str, ...] = ()
    """Names of the classes that its class derives from."""

    def is_a(self, name: str) -> bool:
        """Return whether `except NAME` would have caught it."""
        return bool(name) and name in (self.type, *self.bases)


Output: TypeAlias = Stream | Value | Figure | Error


class Source(msgspec.Struct, frozen=True):
    """Where a data set came from, as the `source.json` beside it says."""

    name: str
    kind: str
    """`original`, `mirror` or `placeholder`, for example."""
    note: str
    """A sentence for readers."""

    @property
    def is_placeholder(self) -> bool:
        """Whether generated data take the place of the real ones, which a reader must know."""
        return self.kind == "placeholder"


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where, when and with what a block ran."""

    device: str
    """Name of the accelerator that it could use, or `CPU`."""
    python: str
    packages: tuple[tuple[str, str], ...]
    """Name and version of each package that the setting `packages` names."""
    seconds: float
    date: str
    """When it ended: ISO 8601, UTC."""
    sources: tuple[Source, ...]
    """Of the data that its session depends on."""
    code_digest: str = ""
    """The beginning of the cache key's first part, which covers the code and the files that it depends on."""
    used_network: bool = False
    """Whether it connected to another machine, so that not all that it depends on is known."""
    observer: Observer = "system"
    """Who has seen what it read: the system, or only Python, which does not see what is read below it."""
    checks_obstacle: str = ""
    """Why its checks ran in the session's own process, and not in a copy of it; empty otherwise."""
    memory: Annotated[int, msgspec.Meta(ge=0, le=2**60)] = 0
    """The peak of its process's memory while it ran, in bytes; 0 if it is not known."""
    gpu_memory: Annotated[int, msgspec.Meta(ge=0, le=2**60)] = 0
    """The peak of the GPU's, likewise."""


class Case(msgspec.Struct, frozen=True):
    """What a block produced with other values than those in its code (`model.sweeps`)."""

    values: tuple[str, ...]
    """One for each knob, as the page has it."""
    outputs: tuple[Output, ...]
    seconds: float


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """All that one block produced in one environment."""

    outputs: tuple[Output, ...]
    provenance: Provenance
    origin: str = ""
    """`path:line` of its code when it ran."""
    inputs: tuple[Input, ...] = ()
    """What it read that the blocks above it had not."""
    reads_lines: bool = False
    """Whether it looked at the line numbers of blocks."""
    values: Mapping[str, Scalar] = msgspec.field(default_factory=dict)
    """Names that the block bound to a number or a short text; prose may refer to them."""
    measured: bool = False
    """Whether its page says that the outputs are measured, and so differ on every run."""
    cases: tuple[Case, ...] = ()
    """What it produced with other values, if it is swept."""

    @property
    def all_outputs(self) -> tuple[Output, ...]:
        """Its outputs, and those of all its cases."""
        return (*self.outputs, *(output for case in self.cases for output in case.outputs))

    @property
    def total_seconds(self) -> float:
        """Wall-clock time of the block and of all its cases, which may have run side by side."""
        return self.provenance.seconds + sum(case.seconds for case in self.cases)

    @property
    def error(self) -> Error | None:
        """The exception that ended the block, if one did."""
        return next((output for output in self.outputs if isinstance(output, Error)), None)

    def mentions_lines(self, path: str) -> bool:
        """Return whether its outputs may contain line numbers of a file: it looked at some, or names the file."""
        texts = (_printed(output) for output in self.all_outputs if isinstance(output, Stream | Error))
        return self.reads_lines or any(path in text for text in texts)

    def of_case(self, case: Case) -> Run:
        """Return what a case produced, as a run of its own."""
        provenance = msgspec.structs.replace(self.provenance, seconds=case.seconds)
        return msgspec.structs.replace(self, outputs=case.outputs, provenance=provenance, cases=())

    def map_outputs(self, change: Callable[[Output], Output]) -> Run:
        """Return the same run with each output changed, those of its cases, too."""
        cases = (msgspec.structs.replace(case, outputs=tuple(map(change, case.outputs))) for case in self.cases)
        return msgspec.structs.replace(self, outputs=tuple(map(change, self.outputs)), cases=tuple(cases))


def count_characters(run: Run) -> int:
    """Return how many characters the outputs of a run take, binary data in base64."""
    return sum(
        sum(map(len, output.data.values())) if isinstance(output, Value | Figure) else len(_printed(output))
        for output in run.all_outputs
    )


def _printed(output: Stream | Error) -> str:
    return output.text if isinstance(output, Stream) else output.traceback


def as_text(run: Run) -> str:
    """Return what a terminal can show of a run."""
    text = "".join(map(_as_text, run.outputs))
    return text + "".join(f"[{', '.join(case.values)}]\n{''.join(map(_as_text, case.outputs))}" for case in run.cases)


def _as_text(output: Output) -> str:
    match output:
        case Stream(_, text):
            return text
        case Value(data):
            return data.get("text/plain", f"[{', '.join(data)}]") + "\n"
        case Figure(_, alt):
            return f"[figure: {alt}]\n"
        case Error(traceback=traceback):
            return traceback.rstrip() + "\n"
