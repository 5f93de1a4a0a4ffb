"""What a worker says of a block, a line of JSON for each event, as the parent reads it.

A block runs in the process that says it, and can write there, too: what is not an event is told apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codeout.model.outputs import Error, Figure, Output, Scalar, Stream, Value

EVENTS = {  # the kinds, and what belongs to each
    "done": ("modules", "values", "safe"),
    "clear": (),
    "stream": ("text",),
    "error": ("message", "traceback", "line", "bases"),
    "display": ("alt",),
}


@dataclass(frozen=True, slots=True)
class BlockResult:
    """What a worker says of a block that it has run."""

    outputs: tuple[Output, ...]
    seconds: float
    modules: tuple[str, ...]  # files of the author's modules that are loaded by now
    values: Mapping[str, Scalar]  # names that the block bound to a number or a short text
    can_checkpoint: bool  # whether the process could be forked now


def event_of(raw: bytes) -> dict[str, Any]:
    """Return what a line from a worker says; nothing if it is not the worker's own."""
    try:
        told = json.loads(raw)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def sound(event: Mapping[str, Any]) -> bool:
    """Return whether an event is of a kind that there is, and whole."""
    return any(kind in event and {*keys} <= {*event} for kind, keys in EVENTS.items())


def output(event: Mapping[str, Any]) -> Output:
    """Return the output that an event is of."""
    if "stream" in event:
        return Stream(event["stream"], event["text"])
    if "error" in event:
        return Error(event["error"], event["message"], event["traceback"], event["line"], tuple(event["bases"]))
    return Value(event["display"]) if event["alt"] is None else Figure(event["display"], event["alt"])
