"""Find fences that ask to run, and those that would not because of a mistake in their first line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from markdown import Markdown
from markdown_exec import formatter
from pymdownx.superfences import SuperFencesCodeExtension

LANGUAGES = ("python", "py", "pycon")
"""Languages whose executable fences codeout runs; markdown-exec handles all others."""
HEADER = re.compile(r"^[ \t>]*(?P<fence>`{3,}|~{3,})[ \t]*\{?[ \t]*\.?(?P<language>[\w+-]*)(?P<options>[^`]*)$")
OPTION = re.compile(r"""(?P<name>[A-Za-z][\w-]*)=(?:"(?P<quoted>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"'}]+))""")
TRUE, FALSE = ("on", "yes", "true", "1"), ("off", "no", "false", "0")
NUMBERS = ("width", "returncode")
"""Options of markdown-exec that must be integers."""
IGNORED = (
    "nothing runs this block: add `- pymdownx.superfences` to `markdown_extensions`, and `- markdown-exec` to "
    "`plugins`, or its formatter to the `custom_fences` of superfences"
)


def hands_on_fences(md: Markdown) -> bool:
    """Return whether superfences hands executed fences to markdown-exec."""
    return any(
        fence.get("format") is formatter
        for extension in md.registeredExtensions
        if isinstance(extension, SuperFencesCodeExtension)
        for fence in extension.getConfig("custom_fences") or ()
    )


def find_executed(lines: Sequence[str]) -> Iterator[int]:
    """Yield the line of each fence that asks to be run, counted from 1."""
    for number, header in _outermost(lines):
        if _values(header.string).get("exec", "").lower() in TRUE:
            yield number


def find_mistakes(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the first line of each Python fence with a mistake that would keep it from running, and what is wrong."""
    for _, header in _outermost(lines):
        if header["language"] in LANGUAGES and (mistake := _mistake(header["options"])):
            yield header.string, mistake


def _outermost(lines: Sequence[str]) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield the line and the header of each fence; fences inside of other fences are examples."""
    end = 0
    for number, line in enumerate(lines, start=1):
        if number > end and (header := HEADER.match(line)):
            closed = closing_line(lines, number, header["fence"])
            end = closed + 1 if closed < len(lines) else number  # one that is never closed contains nothing
            yield number, header


def closing_line(lines: Sequence[str], start: int, fence: str) -> int:
    """Return the index of the line that closes a fence, from `start` on; the number of lines if there is none."""
    closing = re.compile(rf"[> \t]*{fence}[ \t]*$")
    return next((i for i in range(start, len(lines)) if closing.match(lines[i])), len(lines))


def _values(text: str) -> dict[str, str]:
    return {match["name"]: match["quoted"] or match["single"] or match["bare"] or "" for match in OPTION.finditer(text)}


def _mistake(text: str) -> str:
    """Return what is wrong with the options of a fence; an empty string if nothing is."""
    options, values = list(OPTION.finditer(text)), _values(text)
    if "exec" not in values:
        names = [name for name in values if get_close_matches(name, ["exec"], cutoff=0.7)]
        return f"unknown option {names[0]!r}; did you mean 'exec'?" if names else ""
    if bare := next((match for match in options if match["bare"]), None):
        return f'{bare["name"]}={bare["bare"]} needs quotes: {bare["name"]}="{bare["bare"]}"'
    if values["exec"].lower() not in TRUE + FALSE:
        similar = get_close_matches(values["exec"].lower(), TRUE + FALSE, n=1)
        return f"exec must be 'on' or 'off', not {values['exec']!r}" + (
            f"; did you mean {similar[0]!r}?" if similar else ""
        )
    for name in NUMBERS:
        if name in values and not re.fullmatch(r"-?\d+", values[name]):
            return f"{name} must be an integer, not {values[name]!r}"
    return ""
