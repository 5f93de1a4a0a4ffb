"""Two sets of runs, block by block: what differs by more than noise.

Text is compared exactly, but for numbers, which may move a little, and for what differs from run to run and says
nothing: addresses, paths, times and dates. Pictures are compared by `pictures`. Values in, values out.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Literal

from codeout.compare import images as pictures
from codeout.model.outputs import Error, Figure, Output, Run, Stream, Value, as_text

TOLERANCE = 1e-4  # by which a number may move, relative to its size; and by which it may differ from zero
LOOKS = 0.01  # share of a picture that may look different
LONGEST = 4000  # characters of an output that a report shows

NOISE = re.compile(
    r"0x[0-9a-fA-F]{6,}"  # an address
    r"|\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"  # a date
    r"|\b\d{1,2}:\d\d(?::\d\d)?\b"
    r"|(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?\s?(?:ns|[uµ]s|ms|s|sec|seconds?|min|minutes?|it/s|s/it)\b"  # a time
    r"|(?:(?<=[\s\"'(=])|^)(?:/[\w.@+-]+){2,}/?|\b[A-Z]:\\[^\s\"']+",  # a path
    re.MULTILINE,
)
NUMBER = re.compile(
    r"(?<![\w.])[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?(?:e[+-]?\d+)?(?![\w]|\.\d)|[+-]?\b(?:nan|inf)\b"
)

Kind = Literal["changed", "added", "removed"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A block whose outputs differ, or that only one of the two sets has."""

    block: str
    kind: Kind
    words: str = ""  # what has changed, in a line
    old: str = ""  # what is shown of it
    new: str = ""


def compare(old: Mapping[str, Run], new: Mapping[str, Run], tolerance: float = TOLERANCE) -> list[Difference]:
    """Return what differs between two sets of runs; not what is said to vary from run to run.

    Args:
        old: runs by the names of their blocks.
        new: likewise.
        tolerance: by which a number with a fraction may move; whole numbers are counts, and may not.
    """
    found = []
    for name in sorted({*old, *new}, key=_in_order):
        if name not in new:
            found.append(Difference(name, "removed", old=as_text(old[name])))
        elif name not in old:
            found.append(Difference(name, "added", new=as_text(new[name])))
        elif old[name].measured and new[name].measured:
            continue
        elif words := "; ".join(dict.fromkeys(_run(old[name], new[name], tolerance))):
            found.append(Difference(name, "changed", words, as_text(old[name]), as_text(new[name])))
    return found


def _in_order(name: str) -> list[tuple[int, str]]:
    """Return what sorts names of blocks as their pages have them: a number in a name counts as a number."""
    return [(int(part), "") if n % 2 else (0, part) for n, part in enumerate(re.split(r"([0-9]{1,9})", name))]


def differ(old: Run, new: Run, tolerance: float = TOLERANCE) -> bool:
    """Return whether two runs differ by more than noise."""
    return old.outputs != new.outputs and next(_run(old, new, tolerance), None) is not None


def _run(old: Run, new: Run, tolerance: float) -> Iterator[str]:
    for was, now in zip_longest(merged(old.outputs), merged(new.outputs)):
        if was is None or now is None or type(was) is not type(now):
            yield f"{_kind(was)} → {_kind(now)}"
        else:
            yield from _output(was, now, tolerance)


def _output(old: Output, new: Output, tolerance: float) -> Iterator[str]:
    match old, new:
        case Stream(was, old_text), Stream(now, new_text):
            if was != now:
                yield f"{was} → {now}"
            yield from text(old_text, new_text, tolerance)
        case Error(was, old_message), Error(now, new_message):
            if was != now:
                yield f"{was} → {now}"
            yield from text(old_message, new_message, tolerance)
        case (Value(was), Value(now)) | (Figure(was), Figure(now)):
            yield from _bundle(was, now, tolerance)
    if isinstance(old, Figure) and isinstance(new, Figure) and old.alt != new.alt:
        yield f"words of the picture: {old.alt!r} → {new.alt!r}"


def _bundle(old: Mapping[str, str], new: Mapping[str, str], tolerance: float) -> Iterator[str]:
    if set(old) != set(new):
        yield f"{', '.join(sorted(old))} → {', '.join(sorted(new))}"
        return
    for mime in sorted(old):
        if mime.startswith("image/"):
            share = pictures.difference(mime, old[mime], new[mime])
            if share > LOOKS:
                yield f"the picture looks {100 * share:.0f} % different"
        elif mime == "text/plain" and any(other.startswith("image/") for other in old):
            continue  # `<Figure size 480x300>`: the picture itself has been compared
        else:
            yield from text(old[mime], new[mime], tolerance)


def text(old: str, new: str, tolerance: float) -> Iterator[str]:
    """Yield in words how two texts differ: not at all, in their words, or in numbers that moved too far."""
    words, numbers = _parts(old), _parts(new)
    if words[0] != numbers[0] or len(words[1]) != len(numbers[1]):
        yield "other words"
        return
    if far := moved(old, new, tolerance):
        yield f"{len(far)} of {len(words[1])} numbers moved, the farthest {far[0].old} → {far[0].new}"


@dataclass(frozen=True, slots=True)
class Moved:
    """A number that is not what it was."""

    old: str
    new: str

    @property
    def share(self) -> float:
        """By how much it moved, as a share of the larger of the two; infinite if one of them is no number."""
        was, now = _number(self.old), _number(self.new)
        if math.isfinite(was) and math.isfinite(now):
            return abs(was - now) / max(abs(was), abs(now), TOLERANCE)
        return math.inf


def moved(old: str, new: str, tolerance: float = TOLERANCE) -> list[Moved]:
    """Return the numbers that moved too far between two texts, the farthest first; none if their words differ."""
    words, numbers = _parts(old), _parts(new)
    if words[0] != numbers[0] or len(words[1]) != len(numbers[1]):
        return []
    pairs = zip(words[1], numbers[1], strict=True)
    found = [Moved(was, now) for was, now in pairs if not _close(was, now, tolerance)]
    return sorted(found, key=lambda number: -number.share)


def _parts(content: str) -> tuple[str, list[str]]:
    """Return a text with its numbers taken out, and the numbers. How they were spaced and aligned says nothing."""
    quiet = NOISE.sub("‹›", content)
    bare = re.sub(r"\s+", " ", NUMBER.sub("#", quiet)).strip()
    return re.sub(r" ?([#()\[\],]) ?", r"\1", bare), [match[0] for match in NUMBER.finditer(quiet)]


def _close(old: str, new: str, tolerance: float) -> bool:
    was, now = _number(old), _number(new)
    if math.isnan(was) or math.isnan(now):
        return math.isnan(was) and math.isnan(now)
    if not re.search(r"[.e]", old + new):
        return was == now
    return math.isclose(was, now, rel_tol=tolerance, abs_tol=tolerance)


def _number(word: str) -> float:
    return float(word.replace(",", ""))


def merged(outputs: Sequence[Output]) -> list[Output]:
    """Return outputs with the neighbouring texts of a channel in one: where a text was cut says nothing."""
    merged: list[Output] = []
    for name, group in groupby(outputs, lambda output: output.name if isinstance(output, Stream) else ""):
        part = list(group)
        streams = [output for output in part if isinstance(output, Stream)]
        merged += [Stream(streams[0].name, "".join(stream.text for stream in streams))] if name else part
    return merged


def _kind(output: Output | None) -> str:
    return "nothing" if output is None else type(output).__name__.lower()


def report(differences: Sequence[Difference], old: Mapping[str, Run], new: Mapping[str, Run]) -> str:
    """Return a report in Markdown. Outputs are data: nothing in them becomes markup."""
    changed = [each for each in differences if each.kind == "changed"]
    both = len({*old} & {*new})
    parts = [f"# Outputs: {len(changed)} of {both} changed\n"]
    parts += [f"- {_plain(words)}" for words in machines(old, new)]
    others = {kind: [each.block for each in differences if each.kind == kind] for kind in ("added", "removed")}
    parts += [f"- {kind}: {', '.join(map(_plain, names))}" for kind, names in others.items() if names]
    for each in changed:
        lines = difflib.unified_diff(each.old.splitlines(), each.new.splitlines(), "old", "new", lineterm="", n=1)
        content = "\n".join(lines) or each.new
        cut = f"\n… {len(content) - LONGEST:,} characters more" if len(content) > LONGEST else ""
        content = content[:LONGEST] + cut
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", content)), default=0))
        parts.append(f"\n## {_plain(each.block)}\n\n{_plain(each.words)}\n\n{fence}diff\n{content}\n{fence}")
    return "\n".join(parts) + "\n"


def machines(old: Mapping[str, Run], new: Mapping[str, Run]) -> Iterator[str]:
    """Yield what changed of where the runs were made."""
    was, now = _made_with(old), _made_with(new)
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            yield f"{name} {was.get(name, 'none')} → {now.get(name, 'none')}"


def _made_with(runs: Mapping[str, Run]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for run in runs.values():
        told = run.provenance
        for name, version in (("device", told.device), ("Python", told.python), *told.packages):
            found.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _plain(words: str) -> str:
    """Return words in which nothing is markup."""
    return re.sub(r"([\\`*_\[\]<>|#!])", r"\\\1", words.replace("\n", " "))
