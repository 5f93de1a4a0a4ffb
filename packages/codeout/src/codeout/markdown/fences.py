"""Find fences that look as if they should run, and would not: a mistake in their first line means that nothing runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from codeout.markdown.options import LANGUAGES

HEADER = re.compile(r"^[ \t>]*(?P<fence>`{3,}|~{3,})[ \t]*\{?[ \t]*\.?(?P<language>[\w+-]*)(?P<options>[^`]*)$")
OPTION = re.compile(r"""(?P<name>[A-Za-z][\w-]*)=(?:"(?P<quoted>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"'}]+))""")
BOOLEANS = ("on", "off", "yes", "no", "true", "false", "1", "0")
NUMBERS = ("width", "returncode")
"""Options of markdown-exec that must be integers."""


def find_mistakes(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the first line of each Python fence with a mistake that would keep it from running, and what is wrong.

    Fences inside of other fences are examples.
    """
    outer = ""
    for line in lines:
        if outer:
            end = line.strip()
            if len(end) >= len(outer) and not end.strip(outer[0]):
                outer = ""
        elif match := HEADER.match(line):
            outer = match["fence"]
            if match["language"] in LANGUAGES and (mistake := _mistake(match["options"])):
                yield line, mistake


def _mistake(text: str) -> str:
    """Return what is wrong with the options of a fence; an empty string if nothing is."""
    options = list(OPTION.finditer(text))
    values = {match["name"]: match["quoted"] or match["single"] or match["bare"] or "" for match in options}
    if "exec" not in values:
        names = [name for name in values if get_close_matches(name, ["exec"], cutoff=0.7)]
        return f"unknown option {names[0]!r}; did you mean 'exec'?" if names else ""
    if bare := next((match for match in options if match["bare"]), None):
        return f'{bare["name"]}={bare["bare"]} needs quotes: {bare["name"]}="{bare["bare"]}"'
    if values["exec"].lower() not in BOOLEANS:
        similar = get_close_matches(values["exec"].lower(), BOOLEANS, n=1)
        return f"exec must be 'on' or 'off', not {values['exec']!r}" + (
            f"; did you mean {similar[0]!r}?" if similar else ""
        )
    for name in NUMBERS:
        if name in values and not re.fullmatch(r"-?\d+", values[name]):
            return f"{name} must be an integer, not {values[name]!r}"
    return ""
