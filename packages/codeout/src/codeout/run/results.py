"""What a block that has run comes to: its outputs, by the events of its kernel, and its run, by all that is known."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from codeout.cache.environment import used_sources
from codeout.cache.keys import KeyInputs
from codeout.config import Config
from codeout.model.blocks import Block, Session
from codeout.model.inputs import Input
from codeout.model.mime import PLAIN, is_binary
from codeout.model.outputs import Bundle, Case, Error, Figure, Output, Provenance, Run, Stream, Value
from codeout.model.terminal import collapse_streams
from codeout.run.protocol import ChecksEvent, ClearEvent, DisplayEvent, DoneEvent, ErrorEvent, Event, StreamEvent

HIDDEN_OUTPUT = "code below a snippet section is not shown, so it must not print or display anything"


class BlockResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a kernel reports of a block that it has run."""

    outputs: tuple[Output, ...]
    report: DoneEvent
    """What it says besides, for all cases together."""
    cases: tuple[Case, ...] = ()
    """What it did with other values, if it is swept."""

    @classmethod
    def from_death(cls, message: str, seconds: float) -> BlockResult:
        """Return what there is of a block in which its kernel has died, with the message in place of outputs."""
        outputs = (Error(type="BlockError", message=message, traceback=message, line=None),)
        return cls(outputs=outputs, report=DoneEvent(seconds=seconds, values={}, obstacle=""))


def compose_run(
    config: Config,
    *,
    session: Session,
    block: Block,
    inputs: KeyInputs,
    result: BlockResult,
    above: Sequence[Input],
    read: tuple[Input, ...] = (),
) -> Run:
    """Return the run of a block, which has read some inputs, and those that the blocks above it have read."""
    environment, report = inputs.environment, result.report
    provenance = Provenance(
        device=environment.device,
        python=environment.python,
        packages=environment.packages,
        seconds=report.seconds,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        sources=used_sources(session, config, [*above, *read]),
        code_digest=inputs.key.code[:12],
        used_network=report.used_network,
        observer=report.observer,
        checks_obstacle=report.checks_obstacle,
        memory=report.memory,
        gpu_memory=report.gpu_memory,
    )
    return Run(
        outputs=result.outputs,
        provenance=provenance,
        origin=str(block.origin),
        inputs=read,
        reads_lines=report.reads_lines,
        values=report.scalars(),
        measured=block.measured,
        cases=result.cases,
    )


class OutputCollector:
    """The outputs of a block so far."""

    def __init__(self, checks_line: int = 0) -> None:
        """Start without outputs; `checks_line` is where the block's checks begin, for a message."""
        self._outputs: list[Output] = []
        self._displays: dict[str, int] = {}  # display id → index of the output
        self._checks_line = checks_line
        self._runs_checks = False
        self._is_clearing = False

    def add(self, event: Event) -> None:
        """Apply an event: add an output, replace one, or discard all."""
        if self._runs_checks and isinstance(event, StreamEvent | DisplayEvent | ClearEvent):
            self._outputs = [output for output in self._outputs if not isinstance(output, Error)]
            self._outputs.append(
                Error(type="HiddenOutput", message=HIDDEN_OUTPUT, traceback=HIDDEN_OUTPUT, line=self._checks_line)
            )
            return
        if self._is_clearing and isinstance(event, StreamEvent | DisplayEvent | ErrorEvent):
            self._clear()
        match event:
            case StreamEvent(name, text):
                self._outputs.append(Stream(name, text))
            case ErrorEvent():
                self._outputs.append(
                    Error(
                        type=event.type,
                        message=event.message,
                        traceback=event.traceback,
                        line=event.line,
                        bases=event.bases,
                    )
                )
            case DisplayEvent():
                self._display(event)
            case ChecksEvent():
                self._runs_checks = True
            case ClearEvent(wait):
                self._is_clearing = wait
                if not wait:
                    self._clear()

    def collapsed(self) -> tuple[Output, ...]:
        """Return the outputs, their text as a terminal would finally show it."""
        return tuple(collapse_streams(self._outputs))

    def _clear(self) -> None:
        self._is_clearing = False
        self._outputs.clear()
        self._displays.clear()

    def _display(self, event: DisplayEvent) -> None:
        """Add a displayed object, or replace the one with its id; if that is gone, an update is displayed anew."""
        data = _checked_bundle(event.data)
        output = Value(data, event.width) if event.alt is None else Figure(data, event.alt, event.width)
        index = self._displays.get(event.id) if event.update and event.id is not None else None
        if index is not None:
            self._outputs[index] = output
            return
        if event.id is not None:
            self._displays[event.id] = len(self._outputs)
        self._outputs.append(output)


def _checked_bundle(data: Bundle) -> Bundle:
    """Return a MIME bundle whose pictures are base64 without white space; text takes the place of what is none."""
    checked, problems = {}, []
    for mime, part in data.items():
        try:
            content = base64.b64decode("".join(part.split()), validate=True) if is_binary(mime) else b""
        except ValueError:
            problems.append(f"[{mime}: the data are not base64]")
            continue
        checked[mime] = base64.b64encode(content).decode() if is_binary(mime) else part
    return {**checked, PLAIN.name: "\n".join([*problems, checked.get(PLAIN.name, "")]).strip()} if problems else checked
