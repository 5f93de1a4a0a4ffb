"""Collect the outputs of a block from the events of its kernel."""

from __future__ import annotations

from codeout.model.outputs import Error, Figure, Output, Stream, Value
from codeout.model.terminal import collapse_streams
from codeout.run.protocol import ChecksEvent, ClearEvent, DisplayEvent, ErrorEvent, Event, StreamEvent

HIDDEN_OUTPUT = "code below a snippet section is not shown, so it must not print or display anything"


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
            self._outputs.append(Error("HiddenOutput", HIDDEN_OUTPUT, HIDDEN_OUTPUT, self._checks_line))
            return
        if self._is_clearing and isinstance(event, StreamEvent | DisplayEvent | ErrorEvent):
            self._clear()
        match event:
            case StreamEvent(name, text):
                self._outputs.append(Stream(name, text))
            case ErrorEvent(kind, bases, message, traceback, line):
                self._outputs.append(Error(kind, message, traceback, line, bases))
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
        output = Value(event.data, event.width) if event.alt is None else Figure(event.data, event.alt, event.width)
        index = self._displays.get(event.id) if event.update and event.id is not None else None
        if index is not None:
            self._outputs[index] = output
            return
        if event.id is not None:
            self._displays[event.id] = len(self._outputs)
        self._outputs.append(output)
