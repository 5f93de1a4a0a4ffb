"""Find fences that look as if they should run, and would not: a mistake in their first line means that nothing runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from markdown import Markdown
from markdown_exec import formatter
from pymdownx.superfences import SuperFencesCodeExtension

from codeout.markdown.options import LANGUAGES

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


def find_executed(lines: Iterable[str]) -> Iterator[str]:
    """Yield the first line of each Python fence that asks to be run."""
    for line, text in _python_fences(lines):
        if any(match["name"] == "exec" and match["quoted"] in TRUE for match in OPTION.finditer(text)):
            yield line


def find_mistakes(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the first line of each Python fence with a mistake that would keep it from running, and what is wrong."""
    for line, text in _python_fences(lines):
        if mistake := _mistake(text):
            yield line, mistake


def _python_fences(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the first line of each Python fence, and its options; fences inside of other fences are examples."""
    outer = ""
    for line in lines:
        if outer:
            end = line.strip()
            if len(end) >= len(outer) and not end.strip(outer[0]):
                outer = ""
        elif match := HEADER.match(line):
            outer = match["fence"]
            if match["language"] in LANGUAGES:
                yield line, match["options"]


def _mistake(text: str) -> str:
    """Return what is wrong with the options of a fence; an empty string if nothing is."""
    options = list(OPTION.finditer(text))
    values = {match["name"]: match["quoted"] or match["single"] or match["bare"] or "" for match in options}
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
