"""The messages between the build and a kernel, one JSON object per line.

A block runs in the process that sends the events, and can write to the same pipe. So each event is checked when it is
decoded, and everything that is none is an `InvalidEvent`.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from codeout.model.inputs import Observation
from codeout.model.outputs import Channel, Observer, Scalar

MAX_EVENT_SIZE = 50_000_000  # bytes
MAX_QUOTE = 80  # bytes of an invalid event that a message quotes

Bytes: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**60)]
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]
Unit: TypeAlias = tuple[str, str]
"""What an import statement names: a module, and a name in it, `*` or nothing."""


class RunRequest(msgspec.Struct, frozen=True, kw_only=True, tag="run", tag_field="request"):
    """Run a block."""

    code: str
    checks: str
    """Code that runs after it, and must not show anything."""
    checks_line: int
    """The line of the file on which `checks` begins, counted from 1."""
    file: str
    """The file that the code comes from, as tracebacks name it."""
    line: int
    """The line of the file on which the code begins, counted from 1."""
    width: int
    """The columns of the terminal that the block sees; 0: the default."""
    workdir: str
    """The absolute path of the folder in which the block runs; empty: that of its kernel."""
    keeps_saved_figures: bool
    """Whether a figure that the block saves is shown as well, when it is left open."""
    has_magics: bool
    """Whether IPython's magics work."""
    timeout: float
    """Seconds after which the kernel writes down where each of its threads is."""


class CheckpointRequest(msgspec.Struct, frozen=True, tag="checkpoint", tag_field="request"):
    """Fork a checkpoint."""

    ticket: int
    """What it is handed over with, so that one that comes too late is not taken for another."""


class BranchRequest(msgspec.Struct, frozen=True, tag="branch", tag_field="request"):
    """Fork processes that go on beside this one."""

    ticket: int
    """What they are handed over with."""
    folders: tuple[tuple[str, str], ...]
    """The folder in which each of them works, and its temporary folder."""


class LoadRequest(msgspec.Struct, frozen=True, tag="load", tag_field="request"):
    """Import what sessions will."""

    units: tuple[Unit, ...] = ()
    """What the answer tells the needs of."""
    modules: tuple[str, ...] = ()
    """Imported first."""


class SpawnRequest(msgspec.Struct, frozen=True, kw_only=True, tag="spawn", tag_field="request"):
    """Fork the kernel of another session."""

    ticket: int
    """What it is handed over with."""
    scratch: str
    """The absolute path of its scratch folder."""
    folder: str
    """Where its blocks work."""


class BeginEvent(msgspec.Struct, frozen=True, tag="begin", tag_field="event"):
    """The block begins; until then, Python was starting."""


class StreamEvent(msgspec.Struct, frozen=True, tag="stream", tag_field="event"):
    """The block printed text."""

    name: Channel
    text: str


class DisplayEvent(msgspec.Struct, frozen=True, kw_only=True, tag="display", tag_field="event"):
    """The block displayed an object, or ended in an expression with a value."""

    data: dict[str, str]
    """MIME type → data; what is not text is base64."""
    alt: str | None
    """The alt text, if it is a figure."""
    width: int
    """The width in pixels that was asked for; 0 if none was."""
    id: str | None
    """The display id, by which a later event replaces this one."""
    update: bool
    """Whether it replaces what was displayed with the same id."""


class ChecksEvent(msgspec.Struct, frozen=True, tag="checks", tag_field="event"):
    """The block has ended, and its checks begin."""


class ClearEvent(msgspec.Struct, frozen=True, tag="clear", tag_field="event"):
    """The block discarded its outputs so far."""

    wait: bool
    """Whether they stay until it shows something else."""


class ErrorEvent(msgspec.Struct, frozen=True, kw_only=True, tag="error", tag_field="event"):
    """The block raised an exception."""

    type: str
    bases: tuple[str, ...]
    """The names of the classes that it derives from."""
    message: str
    traceback: str
    line: int | None
    """The innermost line of the block's file, counted from 1."""


class NonFinite(msgspec.Struct, frozen=True):
    """A number that JSON lacks."""

    number: Literal["nan", "inf", "-inf"]


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """What a process and those that it started have touched since the last block."""

    observed: tuple[Observation, ...] = ()
    """What was read."""
    written: tuple[str, ...] = ()
    """The absolute paths outside of the scratch folder that were created, changed or removed."""
    used_network: bool = False
    """Whether there was a connection to another machine, or a look for one."""


class DoneEvent(Touched, frozen=True, kw_only=True, tag="done", tag_field="event"):
    """The block ended, with or without an exception."""

    seconds: Seconds
    values: dict[str, bool | int | float | str | NonFinite]
    """The names that the block bound to a number or a short text."""
    obstacle: str
    """Why the process cannot be forked now; empty if it can."""
    checks_obstacle: str = ""
    """Why its checks ran in the process itself, and not in a copy; empty otherwise."""
    memory: Bytes = 0
    """The peak of the process's memory while the block ran."""
    gpu_memory: Bytes = 0
    """The peak of the GPU's."""
    reads_lines: bool = False
    """Whether the block looked at line numbers of blocks."""
    observer: Observer = "system"
    """Who has seen what it touched."""

    def scalars(self) -> dict[str, Scalar]:
        """Return the values as Python has them."""
        return {
            name: float(value.number) if isinstance(value, NonFinite) else value for name, value in self.values.items()
        }


class LoadedEvent(Touched, frozen=True, kw_only=True, tag="loaded", tag_field="event"):
    """The answer to a `LoadRequest`."""

    units: tuple[tuple[dict[str, float], frozenset[str]], ...]
    """What each unit needs: modules in the order to load them, with the seconds that each took by itself. And the names
    that can be imported from its module without any other."""
    is_whole: bool
    """Whether all units could be imported."""
    modules: frozenset[str]
    """What is loaded now, by this and by earlier requests."""
    obstacle: str
    """Why the process cannot be forked now; empty if it can."""


class ForkedEvent(msgspec.Struct, frozen=True, tag="forked", tag_field="event"):
    """The answer to the requests for forks."""

    forked: bool
    """Whether the forks will be handed over on the control socket."""


Request: TypeAlias = RunRequest | CheckpointRequest | BranchRequest | LoadRequest | SpawnRequest
Event: TypeAlias = (
    BeginEvent
    | StreamEvent
    | DisplayEvent
    | ChecksEvent
    | ClearEvent
    | ErrorEvent
    | DoneEvent
    | LoadedEvent
    | ForkedEvent
)


class InvalidEvent(Exception):
    """A line from a kernel that is no event."""


_EVENTS: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode(request: Request) -> bytes:
    """Return a request as a line."""
    return msgspec.json.encode(request) + b"\n"


def decode_event(line: bytes) -> Event:
    """Return the event that a line holds.

    Raises:
        InvalidEvent: the line is too long, or holds no event.
    """
    if len(line) > MAX_EVENT_SIZE:
        raise InvalidEvent(f"an output is larger than {MAX_EVENT_SIZE / 1e6:.0f} MB; reduce it")
    try:
        return _EVENTS.decode(line)
    except (ValueError, RecursionError) as problem:
        raise InvalidEvent(
            f"the kernel sent an invalid message ({problem}): {line[:MAX_QUOTE]!r}; "
            "does the block write to a file descriptor that it has not opened?"
        ) from problem
