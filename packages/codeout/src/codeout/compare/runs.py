"""Two sets of runs, block by block: what differs by more than noise.

Text is compared exactly, but for numbers, which may move a little, and for what differs from run to run and means
nothing: addresses, paths, durations and dates. Pictures are compared by how they look.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, zip_longest
from typing import Literal

import msgspec

from codeout.compare.images import picture_difference
from codeout.model.outputs import Error, Figure, Output, Run, Stream, Value, as_text

TOLERANCE = 1e-4
"""By which a number may move, relative to its size, and by which it may differ from zero."""
INVISIBLE_DIFFERENCE = 0.01
"""Share of a picture that may look different."""
MAX_REPORTED_CHARACTERS = 4000
"""Of an output, in a report."""

NOISE = re.compile(
    r"0x[0-9a-fA-F]{6,}"  # an address
    r"|\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"  # a date
    r"|\b\d{1,2}:\d\d(?::\d\d)?\b"
    r"|(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?\s?(?:ns|[uµ]s|ms|s|sec|seconds?|min|minutes?|it/s|s/it)\b"  # a duration
    r"|(?:(?<=[\s\"'(=])|^)(?:/[\w.@+-]+){2,}/?|\b[A-Z]:\\[^\s\"']+",  # a path
    re.MULTILINE,
)
NUMBER = re.compile(
    r"(?<![\w.])[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?(?:e[+-]?\d+)?(?![\w]|\.\d)|[+-]?\b(?:nan|inf)\b"
)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A block whose outputs differ, or that only one of the two sets has."""

    block: str
    """Its name."""
    kind: Literal["changed", "added", "removed"]
    """Whether both sets have it, or only the new or the old one."""
    description: str = ""
    """What has changed, in a line."""
    old: str = ""
    """The outputs as text."""
    new: str = ""


def compare(old: Mapping[str, Run], new: Mapping[str, Run], tolerance: float = TOLERANCE) -> list[Difference]:
    """Return what differs between two sets of runs, by the names of their blocks, but for measured outputs.

    The tolerance is that of numbers with a fraction; whole numbers are counts and may not move.
    """
    differences = []
    for name in sorted({*old, *new}, key=_natural_order):
        if name not in new:
            differences.append(Difference(block=name, kind="removed", old=as_text(old[name])))
        elif name not in old:
            differences.append(Difference(block=name, kind="added", new=as_text(new[name])))
        elif not (old[name].measured and new[name].measured):
            before, after = old[name], new[name]
            if text := "; ".join(dict.fromkeys(_compare_runs(before, after, tolerance))):
                old_text, new_text = as_text(before), as_text(after)
                difference = Difference(block=name, kind="changed", description=text, old=old_text, new=new_text)
                differences.append(difference)
    return differences


def _natural_order(name: str) -> list[tuple[int, str]]:
    """Return what sorts names of blocks as their pages have them: a number in a name counts as a number."""
    return [(int(part), "") if n % 2 else (0, part) for n, part in enumerate(re.split(r"([0-9]{1,9})", name))]


def differ(old: Run, new: Run) -> bool:
    """Return whether two runs differ by more than noise."""
    is_same = old.outputs == new.outputs and old.cases == new.cases
    return not is_same and next(_compare_runs(old, new, TOLERANCE), None) is not None


def _compare_runs(old: Run, new: Run, tolerance: float) -> Iterator[str]:
    yield from _compare_sequences(old.outputs, new.outputs, tolerance)
    old_cases, new_cases = ({case.values: case.outputs for case in run.cases} for run in (old, new))
    if list(old_cases) != list(new_cases):
        yield "other values are swept"
    for values in (values for values in old_cases if values in new_cases):
        for description in _compare_sequences(old_cases[values], new_cases[values], tolerance):
            yield f"{', '.join(values)}: {description}"


def _compare_sequences(old: Sequence[Output], new: Sequence[Output], tolerance: float) -> Iterator[str]:
    for before, after in zip_longest(merge_streams(old), merge_streams(new)):
        if before is None or after is None or type(before) is not type(after):
            kinds = ("nothing" if each is None else type(each).__name__.lower() for each in (before, after))
            yield " → ".join(kinds)
        else:
            yield from _compare_outputs(before, after, tolerance)


def _compare_outputs(old: Output, new: Output, tolerance: float) -> Iterator[str]:
    match old, new:
        case (Stream(before, old_text), Stream(after, new_text)) | (
            Error(type=before, message=old_text),
            Error(type=after, message=new_text),
        ):
            if before != after:
                yield f"{before} → {after}"
            yield from _compare_texts(old_text, new_text, tolerance)
        case (Value(old_data), Value(new_data)) | (Figure(old_data), Figure(new_data)):
            yield from _compare_bundles(old_data, new_data, tolerance)
    if isinstance(old, Figure) and isinstance(new, Figure) and old.alt != new.alt:
        yield f"alt text: {old.alt!r} → {new.alt!r}"


def _compare_bundles(old: Mapping[str, str], new: Mapping[str, str], tolerance: float) -> Iterator[str]:
    if set(old) != set(new):
        yield f"{', '.join(sorted(old))} → {', '.join(sorted(new))}"
        return
    for mime in sorted(old):
        if mime.startswith("image/"):
            if (share := picture_difference(mime, old[mime], new[mime])) > INVISIBLE_DIFFERENCE:
                yield f"the picture looks {100 * share:.0f} % different"
        elif mime == "text/plain" and any(other.startswith("image/") for other in old):
            continue  # `<Figure size 480x300>`: the picture itself has been compared
        else:
            yield from _compare_texts(old[mime], new[mime], tolerance)


def _compare_texts(old: str, new: str, tolerance: float) -> Iterator[str]:
    pairs = _pair_numbers(old, new)
    if pairs is None:
        yield "text differs"
    elif moved := _find_moved(pairs, tolerance):
        yield f"{len(moved)} of {len(pairs)} numbers changed (largest change: {moved[0].old} → {moved[0].new})"


class MovedNumber(msgspec.Struct, frozen=True):
    """A number that differs between two texts, as each of them has it."""

    old: str
    new: str

    @property
    def share(self) -> float:
        """By how much it moved, relative to the larger of the two; infinite if one of them is not a number."""
        old, new = _parse_number(self.old), _parse_number(self.new)
        if math.isfinite(old) and math.isfinite(new):
            return abs(old - new) / max(abs(old), abs(new), TOLERANCE)
        return math.inf


def moved_numbers(old: str, new: str) -> list[MovedNumber]:
    """Return the numbers that moved too far between two texts, the farthest first; none if their words differ."""
    return _find_moved(_pair_numbers(old, new) or [], TOLERANCE)


def _find_moved(pairs: Sequence[tuple[str, str]], tolerance: float) -> list[MovedNumber]:
    numbers = [MovedNumber(before, after) for before, after in pairs if not _is_close(before, after, tolerance)]
    return sorted(numbers, key=lambda number: -number.share)


def _pair_numbers(old: str, new: str) -> list[tuple[str, str]] | None:
    """Return the numbers of two texts; None if their words differ, or they have not as many."""
    old_words, old_numbers = _split_numbers(old)
    new_words, new_numbers = _split_numbers(new)
    is_comparable = old_words == new_words and len(old_numbers) == len(new_numbers)
    return list(zip(old_numbers, new_numbers, strict=True)) if is_comparable else None


def _split_numbers(text: str) -> tuple[str, list[str]]:
    """Return a text without its numbers, noise and spacing, and the numbers."""
    quiet = NOISE.sub("‹›", text)
    words = re.sub(r"\s+", " ", NUMBER.sub("#", quiet)).strip()
    return re.sub(r" ?([#()\[\],]) ?", r"\1", words), [match[0] for match in NUMBER.finditer(quiet)]


def _is_close(old: str, new: str, tolerance: float) -> bool:
    before, after = _parse_number(old), _parse_number(new)
    if math.isnan(before) and math.isnan(after):
        return True
    if not re.search(r"[.e]", old + new):
        return before == after
    return math.isclose(before, after, rel_tol=tolerance, abs_tol=tolerance)


def _parse_number(text: str) -> float:
    return float(text.replace(",", ""))


def merge_streams(outputs: Sequence[Output]) -> list[Output]:
    """Return outputs in which neighbouring texts of a channel are one, since where a text was cut means nothing."""
    result: list[Output] = []
    for channel, group in groupby(outputs, lambda output: output.name if isinstance(output, Stream) else None):
        if channel is None:
            result += group
        else:
            result.append(Stream(channel, "".join(output.text for output in group if isinstance(output, Stream))))
    return result


def report(differences: Sequence[Difference], old: Mapping[str, Run], new: Mapping[str, Run]) -> str:
    """Return a report in Markdown. Outputs are data: nothing in them becomes markup."""
    changes = [difference for difference in differences if difference.kind == "changed"]
    parts = [f"# Outputs: {len(changes)} of {len({*old} & {*new})} changed\n"]
    parts += [f"- {_escape(change)}" for change in environment_changes(old, new)]
    for kind in ("added", "removed"):
        if names := [_escape(difference.block) for difference in differences if difference.kind == kind]:
            parts.append(f"- {kind}: {', '.join(names)}")
    parts += map(_report_section, changes)
    return "\n".join(parts) + "\n"


def _report_section(difference: Difference) -> str:
    old, new = difference.old, difference.new
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "old", "new", lineterm="", n=1)
    content = "\n".join(lines) or new
    content = "".join(cut(content))
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", content)), default=0))
    return f"\n## {_escape(difference.block)}\n\n{_escape(difference.description)}\n\n{fence}diff\n{content}\n{fence}"


def cut(text: str) -> tuple[str, str]:
    """Return as much of a text as a report may have, and a line about the rest."""
    rest = len(text) - MAX_REPORTED_CHARACTERS
    return text[:MAX_REPORTED_CHARACTERS], f"\n… {rest:,} more characters" if rest > 0 else ""


def environment_changes(old: Mapping[str, Run], new: Mapping[str, Run]) -> Iterator[str]:
    """Yield what changed of the devices and versions that runs were made with."""
    before, after = _versions(old), _versions(new)
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield f"{name} {before.get(name, 'none')} → {after.get(name, 'none')}"


def _versions(runs: Mapping[str, Run]) -> dict[str, str]:
    versions: dict[str, set[str]] = {}
    for run in runs.values():
        provenance = run.provenance
        for name, version in (("device", provenance.device), ("Python", provenance.python), *provenance.packages):
            versions.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(values)) for name, values in versions.items()}


def _escape(text: str) -> str:
    """Return text in which no character is Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>|#!])", r"\\\1", text.replace("\n", " "))
