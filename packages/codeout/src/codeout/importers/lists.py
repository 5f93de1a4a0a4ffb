"""Write lists of notebooks as Python-Markdown reads them: four columns for each level, and a blank line above them."""

from __future__ import annotations

import re

import msgspec

ITEM = re.compile(r" *(?:[-*+]|\d+\.) +(?=\S)")
FENCE = re.compile(r" *(?P<fence>`{3,}|~{3,})")
NO_PARAGRAPH = re.compile(r" *(?:#|>|\||<|\$\$|---|\*\*\*|```|~~~)")
LEVEL = 4
"""Columns by which Python-Markdown wants what is in a list to be indented."""


def indent_lists(text: str) -> str:
    """Return Markdown whose lists mean the same to Python-Markdown as they do to CommonMark."""
    writer = _Writer()
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        writer.add(indent.expandtabs(LEVEL) + line.lstrip())
    return "\n".join(writer.lines)


class _Writer(msgspec.Struct):
    lines: list[str] = msgspec.field(default_factory=list)
    _levels: list[tuple[int, int]] = msgspec.field(default_factory=list)
    """Of the lists around a line: the columns of the marker and of the text of the last item."""
    _fence: str = ""
    """What has opened the code block around a line."""

    def add(self, line: str) -> None:
        indent = len(line) - len(line.lstrip())
        item = None if self._fence else ITEM.match(line)
        if not line.strip():
            self.lines.append("")
        elif item and (self._levels or indent < LEVEL):  # else it is indented code
            self._add_item(line, indent, item.end())
        else:
            self._add_other(line, indent)

    def _add_item(self, line: str, indent: int, text: int) -> None:
        while self._levels and indent < self._levels[-1][1]:
            self._levels.pop()  # beside the last item, or beside one around it
        above = self.lines[-1] if self.lines else ""
        if above.strip() and not above.startswith("#") and not self._levels and not self._is_in_list(above):
            self.lines.append("")
        elif FENCE.match(above):
            self.lines.append("")  # Python-Markdown takes the item for text below the code block
        self.lines.append(" " * (LEVEL * len(self._levels)) + line[indent:])
        self._levels.append((indent, text))

    def _add_other(self, line: str, indent: int) -> None:
        above = self.lines[-1] if self.lines else ""
        goes_on = above.strip() and not NO_PARAGRAPH.match(line)  # a paragraph, though it is not indented
        while self._levels and indent < self._levels[-1][1] and not self._fence and not goes_on:
            self._levels.pop()
        inside = self._levels[-1][1] if self._levels else 0
        self.lines.append(" " * (LEVEL * len(self._levels) + max(indent - inside, 0)) + line[indent:])
        if match := FENCE.match(line):
            is_end = self._fence and line.strip().startswith(self._fence) and not line.strip().strip(self._fence[0])
            self._fence = "" if is_end else self._fence or match["fence"]

    @staticmethod
    def _is_in_list(line: str) -> bool:
        return bool(ITEM.match(line)) or line.startswith(" " * LEVEL)
