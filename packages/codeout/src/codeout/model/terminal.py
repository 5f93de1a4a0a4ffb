"""Terminal emulation: what a terminal would show of text with control characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from codeout.model.outputs import Channel, Output, Stream

MAX_COLUMN = 1_000  # how far right of the text a control sequence may move the cursor
MAX_PADDING = 100_000  # spaces that one screen may gain because text was written right of the end of its line
MAX_DIGITS = 6  # of a number in a control sequence; a longer one counts as 1,000,000

SAVING = {"s": "7", "u": "8"}  # control sequences and the escape sequences that do the same
MOVES = {"A": (-1, 0), "F": (-1, 0), "B": (1, 0), "E": (1, 0), "C": (0, 1), "D": (0, -1)}  # rows and columns

Cell = tuple[str, Channel]  # a character, and the channel that wrote it

_TOKENS = re.compile(
    r"(?:\x1b\[|\x9b(?=[0-?]))(?P<parameters>[0-?]*)(?P<intermediate>[ -/]*)(?P<command>[@-~])"  # cursor moves, colours
    r"|\x1b[PX^_][^\x18\x1a\x1b\x9c]*(?:\x1b\\|[\x18\x1a\x9c])"  # a string, such as a picture
    r"|\x1b[\]PX^_][^\x07\x18\x1a\x1b\x9c]*(?:\x1b\\|[\x07\x18\x1a\x9c])?"  # a title, a link, a string without its end
    # Without its end, or with other letters in it, it is text that was decoded wrongly, such as the quotes of UTF-8.
    r"|[\x90\x98\x9d-\x9f][ -~]*(?:\x1b\\|[\x07\x9c])"
    r"|\x1b(?P<escape>[ -/]*[0-~])"  # saving the cursor, character sets
    r"|(?P<control>[\r\n\b])"
    r"|(?P<text>[^\x00-\x08\x0a-\x1f\x7f\x90\x98\x9b\x9d-\x9f]+|[\x90\x98\x9b\x9d-\x9f])"
    r"|[\x00-\x1f\x7f]"
)


def collapse_streams(outputs: Iterable[Output]) -> Iterator[Output]:
    """Yield outputs as a screen would finally show them: each run of stream text passes through a terminal."""
    for is_text, group in groupby(outputs, lambda output: isinstance(output, Stream)):
        if is_text:
            yield from render_terminal(output for output in group if isinstance(output, Stream))
        else:
            yield from group


def render_terminal(streams: Iterable[Stream]) -> Iterator[Stream]:
    """Yield what a terminal would finally show of text that two channels wrote to it.

    Carriage returns, backspaces, cursor moves and erasing take effect; colours and other controls are dropped.
    """
    screen = _Screen()
    for stream in streams:
        for token in _TOKENS.finditer(stream.text):
            if text := token["text"]:
                screen.write(text, stream.name)
            elif control := token["control"]:
                screen.control(control, stream.name)
            elif token["command"] and not token["intermediate"]:
                screen.command(token["command"], token["parameters"])
            elif escape := token["escape"]:
                screen.escape(escape)
    for name, cells in groupby(screen.cells(), lambda cell: cell[1]):
        yield Stream(name, "".join(character for character, _ in cells))


def _number(parameters: str, position: int) -> int:
    """Return one of the numbers of a control sequence, 0 if it is missing."""
    numbers = parameters.split(";", position + 1)
    if len(numbers) <= position or not numbers[position].isdigit():
        return 0
    digits = numbers[position].lstrip("0")
    return int(digits or "0") if len(digits) <= MAX_DIGITS else 10**MAX_DIGITS


class _Screen:
    """A sheet of endless height with a cursor; each cell remembers the channel that wrote it."""

    def __init__(self) -> None:
        self._padding_left = MAX_PADDING
        self._row = self._column = 0
        self._saved_position = 0, 0
        self._clear()

    def cells(self) -> Iterator[Cell]:
        for line, end in zip(self._lines, self._line_ends, strict=True):
            yield from line
            if end:
                yield "\n", end

    def write(self, text: str, name: Channel) -> None:
        line = self._lines[self._row]
        if (gap := self._column - len(line)) > 0:
            padding = min(gap, self._padding_left)
            self._padding_left -= padding
            line.extend([(" ", name)] * padding)
            self._column = len(line)
        line[self._column : self._column + len(text)] = [(character, name) for character in text]
        self._column += len(text)

    def control(self, control: str, name: Channel) -> None:
        if control == "\n":
            self._line_ends[self._row] = self._line_ends[self._row] or name
            self._row += 1
            if self._row == len(self._lines):
                self._lines.append([])
                self._line_ends.append(None)
        self._column = max(self._column - 1, 0) if control == "\b" else 0

    def escape(self, escape: str) -> None:
        """Carry out an escape sequence: save and restore the cursor, or reset."""
        match escape:
            case "7":
                self._saved_position = self._row, self._column
            case "8":
                self._move(*self._saved_position)
            case "c":
                self._clear()

    def command(self, command: str, parameters: str) -> None:
        """Carry out a control sequence (ECMA-48, section 8.3); private ones have no effect on text."""
        if parameters[:1] in ("<", "=", ">", "?"):
            return
        if command in SAVING:
            self.escape(SAVING[command])
        number = _number(parameters, 0)
        match command:
            case "H" | "f":
                self._move(max(number, 1) - 1, max(_number(parameters, 1), 1) - 1)
            case "A" | "F" | "B" | "E" | "C" | "D":
                down, right = MOVES[command]
                self._move(self._row + down * max(number, 1), self._column + right * max(number, 1))
            case "G":
                self._move(self._row, max(number, 1) - 1)
            case "K":
                self._erase_in_line(number)
            case "J" if number == 0:
                self._erase_in_line(0)
                del self._lines[self._row + 1 :], self._line_ends[self._row + 1 :]
                self._line_ends[self._row] = None
            case "J" if number in (2, 3):
                self._clear()
        if command in "EF":
            self._column = 0

    def _move(self, row: int, column: int) -> None:
        self._row = min(max(row, 0), len(self._lines) - 1)
        right_end = max(len(self._lines[self._row]), self._column, MAX_COLUMN)
        self._column = min(max(column, 0), right_end)

    def _erase_in_line(self, extent: int) -> None:
        """Erase to the end of the line (0), to its start (1), or all of it."""
        line = self._lines[self._row]
        if extent == 0:
            del line[self._column :]
        elif extent == 1:
            line[: self._column] = [(" ", name) for _, name in line[: self._column]]
        else:
            line.clear()

    def _clear(self) -> None:
        self._lines: list[list[Cell]] = [[]]
        self._line_ends: list[Channel | None] = [None]  # the channel that ended each line; none has ended the last one
        self._row = self._column = 0
