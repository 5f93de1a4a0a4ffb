"""Terminal emulation: what a terminal would show of text with control characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from codeout.model.outputs import Channel, Output, Stream


def collapse_streams(outputs: Iterable[Output]) -> Iterator[Output]:
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
