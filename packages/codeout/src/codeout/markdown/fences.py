"""What a fence is: found in a text, stamped with its place, checked for mistakes. Pure: text in, values and text out.

A stamp is an option in the header of a fence that is executed. It says where the fence is, whatever is done to the text
around it: its file and line, or, once all snippets are included, its number in the text of the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from urllib.parse import quote, unquote

import msgspec

from codeout.model.blocks import Place

LANGUAGES = ("python", "py", "pycon")
"""Languages whose executable fences codeout runs; markdown-exec handles all others."""
STAMP_OPTION = "codeout_at"
TRUE, FALSE = ("on", "yes", "true", "1"), ("off", "no", "false", "0")
NUMBERS = ("width", "returncode")
"""Options of markdown-exec that must be integers."""

HEADER = re.compile(
    r"^(?P<indent>[ \t>]*)(?P<fence>`{3,}|~{3,})[ \t]*\{?[ \t]*\.?(?P<language>[\w+-]*)(?P<options>[^`]*)$"
)
OPTION = re.compile(r"""(?P<name>[A-Za-z][\w-]*)=(?:"(?P<quoted>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"'}]+))""")
STAMP = re.compile(rf' {STAMP_OPTION}=(?:"|&quot;)[^"&]*(?:"|&quot;)')
CODE_OR_COMMENT = re.compile(
    r"^[> \t]*(?P<fence>`{3,}|~{3,}).*?(?:^[> \t]*(?P=fence)[ \t]*$|\Z)"
    r"|(?P<ticks>`+)(?!`)[^\n]*?(?<!`)(?P=ticks)(?!`)"
    r"|(?P<comment><!--.*?-->)",
    re.MULTILINE | re.DOTALL,
)


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """A fence that is not inside of another one."""

    line: int
    """Of its header, counted from 1."""
    end: int
    """The line that closes it, or the last one of the text."""
    indent: str
    """What precedes it on each of its lines."""
    language: str
    options: str
    """The rest of the header."""
    body: tuple[str, ...]
    """Its lines, without its indentation."""
    is_commented: bool = False
    """Whether it is inside an HTML comment."""

    @property
    def values(self) -> dict[str, str]:
        """The options, by name."""
        matches = OPTION.finditer(self.options)
        return {match["name"]: match["quoted"] or match["single"] or match["bare"] or "" for match in matches}

    @property
    def stamp(self) -> str:
        """Its stamp; empty if it has none."""
        return self.values.get(STAMP_OPTION, "")

    @property
    def is_executed(self) -> bool:
        """Whether it asks to be run."""
        return self.values.get("exec", "").lower() in TRUE

    @property
    def is_block(self) -> bool:
        """Whether codeout runs it."""
        return self.language in LANGUAGES and self.is_executed


def find_fences(text: str) -> list[Fence]:
    """Return the fences of a text; those inside of other fences are examples."""
    if "```" not in text and "~~~" not in text:
        return []
    lines, comments, fences = text.split("\n"), find_comments(text), list[Fence]()
    offset = end = 0
    for number, line in enumerate(lines, start=1):
        if number > end and (header := HEADER.match(line)):
            closed = _closing_line(lines, number, header["fence"])
            end = closed + 1 if closed < len(lines) else number  # one that is never closed contains nothing
            fences.append(
                Fence(
                    line=number,
                    end=min(closed + 1, len(lines)),
                    indent=header["indent"],
                    language=header["language"],
                    options=header["options"],
                    body=tuple(_without_indent(inner, header["indent"]) for inner in lines[number:closed]),
                    is_commented=any(start < offset < stop for start, stop in comments),
                )
            )
        offset += len(line) + 1
    return fences


def find_examples(text: str, above: int = 0) -> Iterator[Fence]:
    """Yield the fences inside of those of a text, which run where the outer one is Markdown that is executed."""
    for outer in find_fences(text):
        if outer.language not in LANGUAGES:
            inner_text, first = "\n".join(outer.body), outer.line + above
            yield from (msgspec.structs.replace(inner, line=inner.line + first) for inner in find_fences(inner_text))
            yield from find_examples(inner_text, first)


def _closing_line(lines: Sequence[str], start: int, fence: str) -> int:
    closing = re.compile(rf"[> \t]*{fence}[ \t]*$")
    return next((i for i in range(start, len(lines)) if closing.match(lines[i])), len(lines))


def _without_indent(line: str, indent: str) -> str:
    return "" if line.strip() == indent.strip() else line.removeprefix(indent)


def find_comments(text: str) -> list[tuple[int, int]]:
    """Return where HTML comments begin and end; not what looks like one in code."""
    if "<!--" not in text:
        return []
    return [match.span() for match in CODE_OR_COMMENT.finditer(text) if match["comment"]]


def stamp(text: str, path: str, above: int = 0) -> str:
    """Return a file, or what follows the `above` first lines of one, in which each block says where it is."""
    return rewrite_stamps(text, lambda fence: fence.stamp or f"{quote(path)}:{fence.line + above}")


def rewrite_stamps(text: str, stamp_of: Callable[[Fence], str]) -> str:
    """Return a text in which each block has the stamp that a function returns; examples in other fences have none."""
    lines = text.split("\n")
    for fence in find_fences(text):
        if fence.is_block:
            header = strip_stamps(lines[fence.line - 1])
            at = len(header.rstrip(" \t").removesuffix("}").rstrip(" \t"))
            lines[fence.line - 1] = f'{header[:at]} {STAMP_OPTION}="{stamp_of(fence)}"{header[at:]}'
        if any(STAMP_OPTION in line for line in lines[fence.line : fence.end]):
            lines[fence.line : fence.end] = map(strip_stamps, lines[fence.line : fence.end])
    return "\n".join(lines)


def strip_stamps(text: str) -> str:
    """Return Markdown, or HTML, as it was without stamps."""
    return STAMP.sub("", text) if STAMP_OPTION in text else text


def read_stamp(value: str) -> Place | None:
    """Return the place that a stamp names; None if it names none."""
    path, _, line = value.rpartition(":")
    return Place(unquote(path), int(line)) if path and line.isdecimal() else None


def find_mistake(fence: Fence) -> str:
    """Return what would keep a Python fence from running as its author wants; an empty string if nothing does."""
    values = fence.values
    if fence.language not in LANGUAGES:
        return ""
    if "exec" not in values:
        names = [name for name in values if get_close_matches(name, ["exec"], cutoff=0.7)]
        return f"unknown option {names[0]!r}; did you mean 'exec'?" if names else ""
    if bare := next((match for match in OPTION.finditer(fence.options) if match["bare"]), None):
        return f'{bare["name"]}={bare["bare"]} needs quotes: {bare["name"]}="{bare["bare"]}"'
    if values["exec"].lower() not in TRUE + FALSE:
        similar = get_close_matches(values["exec"].lower(), TRUE + FALSE, n=1)
        guess = f"; did you mean {similar[0]!r}?" if similar else ""
        return f"exec must be 'on' or 'off', not {values['exec']!r}{guess}"
    for name in NUMBERS:
        if name in values and not re.fullmatch(r"-?\d+", values[name]):
            return f"{name} must be an integer, not {values[name]!r}"
    return ""
