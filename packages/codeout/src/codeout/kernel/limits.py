"""Limits on what is kept of one output of a block; what is cut is said in its place."""

from __future__ import annotations

MAX_HEAD = 200_000  # characters of a text
MAX_TAIL = 20_000  # characters at its end that are kept as well if it is longer
MAX_MESSAGE = 10_000  # characters of an exception's message, which also goes to the terminal
MAX_DATA = 20_000_000  # characters of a picture in base64, or of HTML, of which no part would do
MAX_DISPLAYS = 1_000  # values, figures and displayed objects of a block
TEXT_TYPES = ("text/plain", "text/markdown", "text/latex")


def cut(text: str, head: int = MAX_HEAD, tail: int = MAX_TAIL) -> str:
    """Return a text, or its beginning and its end with a note between them."""
    left_out = len(text) - head - tail
    if left_out <= 0:
        return text
    return f"{text[:head]}\n[… {left_out:,} characters left out …]\n{text[-tail:] if tail else ''}"


def cut_bundle(data: dict[str, str]) -> dict[str, str]:
    """Return a MIME bundle whose texts are cut, without other data that are too large."""
    parts = {mime: cut(part) if mime in TEXT_TYPES else part for mime, part in data.items()}
    large = {mime: len(part) for mime, part in parts.items() if len(part) > MAX_DATA}
    if not large:
        return parts
    notes = [f"[{mime} of {size:,} characters left out; the limit is {MAX_DATA:,}]" for mime, size in large.items()]
    rest = {mime: part for mime, part in parts.items() if mime not in large}
    return {**rest, "text/plain": "\n".join([*notes, *([rest["text/plain"]] if "text/plain" in rest else [])])}
