"""Runs that come from a machine that others share, as recordings: read as data, checked, and written anew.

Nothing is copied. A run is taken if its key is one that the pages have now, if it is made from what it says, and if
what it shows is text or a picture that cannot act. Its HTML, Markdown and LaTeX are left out: a page would trust them.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

from codeout.keys import FORMAT, Recipe
from codeout.outputs import Bundle, Figure, Output, Run, Value
from codeout.render import EVERYTHING, SVG
from codeout.store import IMAGES, MEMO, TIMES, Entry, Store

LARGEST = 4_000_000  # bytes of a file
MOST = 100_000_000  # bytes of all files
FILES = 20_000
LONGEST = 80  # characters of a device's name

RUN = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{38}-[0-9a-f]{16}\.json")
PICTURE = re.compile(rf"images/[0-9a-f]{{64}}\.({'|'.join(IMAGES.values())})")
BEGINNINGS = {  # the first bytes of a picture of each type
    "image/png": rb"\x89PNG\r\n\x1a\n",
    "image/jpeg": rb"\xff\xd8\xff",
    "image/gif": rb"GIF8[79]a",
    "image/webp": rb"RIFF.{4}WEBP",
}
SHOWN = ("text/plain", "image/svg+xml", *IMAGES)  # the types of what a recording may show

DRAWING = {  # elements of SVG that draw, and do nothing else
    *("svg", "g", "defs", "symbol", "use", "title", "desc", "style", "text", "tspan", "image"),
    *("path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "marker", "clipPath", "mask", "pattern"),
    *("linearGradient", "radialGradient", "stop"),
}
# What a style may not say: it would ask for something from elsewhere, or lie over the page.
OUTSIDE = re.compile(r"url\(\s*['\"]?(?!#)|@import|expression\s*\(|javascript:|position\s*:|\\", re.IGNORECASE)


class Refused(Exception):
    """Something is not as it must be; the message says what."""


@dataclass(frozen=True, slots=True)
class Known:
    """A block of the site as it is now: what a recording of it must be made from."""

    name: str
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Accepted:
    """A run that may become a recording."""

    entry: Entry
    run: Run
    without: tuple[str, ...]  # the types of what was left out of what it shows


def accept(folder: Path, known: Mapping[str, Known], device: str) -> tuple[list[Accepted], list[str]]:
    """Return the runs of a folder that may become recordings, and why others may not.

    Args:
        folder: of the format of a store, from somewhere else.
        known: the blocks of the site, by the digest of their code (the first half of a key).
        device: of this machine: what ran there needs no recording.

    Returns:
        the runs, and sentences that begin with the path of a file. Where there are any, none of it is to be trusted.
    """
    refused = list(_strangers(folder))
    if refused:
        return [], refused
    accepted, store = [], Store(folder)
    for path in sorted(folder.glob("??/*.json")):
        try:
            entry = _entry(path, known)
            if entry.recipe.environment.device != device:
                accepted.append(_accepted(entry, store))
        except Refused as problem:
            refused.append(f"{path}:1: {problem}")
    return accepted, refused


def _strangers(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the files of a folder, before any is opened."""
    total = count = 0
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield f"{path}:1: is a link; only files are taken"
        elif path.is_dir():
            continue
        elif not path.is_file():
            yield f"{path}:1: is no ordinary file"
        elif inside.split("/")[0] in (MEMO, TIMES):
            continue
        elif not (RUN.fullmatch(inside) or PICTURE.fullmatch(inside)):
            yield f"{path}:1: has no place in a store: a run is AB/ABCD…-….json, a picture images/HASH.png"
        elif path.stat().st_size > LARGEST:
            yield f"{path}:1: has {path.stat().st_size:,} bytes; a file may have {LARGEST:,}"
        else:
            total, count = total + path.stat().st_size, count + 1
    if total > MOST or count > FILES:
        yield f"{folder}:1: has {count:,} files of {total:,} bytes; it may have {FILES:,} of {MOST:,}"


def _entry(path: Path, known: Mapping[str, Known]) -> Entry:
    """Return what a run says it is made from, if that is what a block of the site is made from now.

    Raises:
        Refused: it is not.
    """
    try:
        content = json.loads(path.read_text(encoding="utf8"))
        form = content["format"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
        raise Refused(f"is no run: {type(problem).__name__}") from problem
    if form != FORMAT:
        raise Refused(f"has the format {form!r}, not {FORMAT}: it was made by another version of the engine")
    entry = Store.entry(path)
    if entry is None:
        raise Refused("is no run: it does not say what it was made from, or its key is not its name")
    block = known.get(entry.key.code)
    if block is None:
        raise Refused("is a run of code that no page has now")
    if entry.recipe.key != entry.key:
        raise Refused("has a key that is not the digest of what it says it was made from")
    if (entry.recipe.files, entry.recipe.codes) != (block.recipe.files, block.recipe.codes) or entry.name != block.name:
        raise Refused(f"says it is {entry.name!r}, and its code is that of {block.name!r}")
    return entry


def _accepted(entry: Entry, store: Store) -> Accepted:
    """Return a run without what it may not show.

    Raises:
        Refused: it is not whole, says of itself what can't be, or shows a picture that is none or that could act.
    """
    try:
        run = store.get(entry.key)
    except RecursionError as problem:
        raise Refused("is nested too deeply") from problem
    if run is None:
        raise Refused("is not whole, or refers to a picture that is not the one it names")
    told, here = run.provenance, entry.recipe.environment
    if (told.device, told.python) != (here.device, here.python) or not set(told.packages) <= set(here.packages):
        raise Refused("says that it ran elsewhere, or with other versions, than its key does")
    if not (told.device.isprintable() and 0 < len(told.device) <= LONGEST):
        raise Refused(f"has a device of {len(told.device)} characters that can't be a name")
    if any(Path(path).is_absolute() or ".." in Path(path).parts for path, _ in run.modules):
        raise Refused("has loaded modules from outside the site's folder")
    if told.code != entry.key.code[: len(told.code)]:
        raise Refused("names other code than its key does")
    if not (isinstance(told.seconds, int | float) and math.isfinite(told.seconds) and told.seconds >= 0):
        raise Refused(f"took {told.seconds} seconds")
    _dated(told.date)
    if standin := next((source for source in told.sources if source.standin), None):
        raise Refused(f"was made with a stand-in for {standin.name}")
    outputs, without = [], set[str]()
    for output in run.outputs:
        kept, left = _safe(output)
        outputs.append(kept)
        without |= left
    return Accepted(entry, replace(run, outputs=tuple(outputs)), tuple(sorted(without)))


def _dated(date: str) -> None:
    try:
        when = datetime.fromisoformat(date)
    except ValueError as problem:
        raise Refused(f"ran at {date!r}, which is no date") from problem
    if when.tzinfo is None or when > datetime.now(UTC) + timedelta(days=1):
        raise Refused(f"ran at {date}, which is not in the past")


def _safe(output: Output) -> tuple[Output, set[str]]:
    """Return an output with what text and pictures there are of it, and the types that were left out."""
    if not isinstance(output, Value | Figure):
        return output, set()
    left = set(output.data) - set(SHOWN)
    kept = {mime: part for mime, part in output.data.items() if mime in SHOWN}
    if not kept:
        raise Refused(f"shows nothing but {', '.join(sorted(left))}, which a recording may not")
    return replace(output, data=_checked(kept)), left


def _checked(data: Bundle) -> Bundle:
    for mime, part in data.items():
        if mime == "image/svg+xml":
            drawing(part)
        elif mime in IMAGES:
            try:
                content = base64.b64decode(part, validate=True)
            except binascii.Error as problem:
                raise Refused(f"has {mime} that is not base64") from problem
            if not re.match(BEGINNINGS[mime], content, re.DOTALL):
                raise Refused(f"has {mime} that is none")
    return data


def drawing(text: str) -> None:
    """Check that SVG only draws: no script, no link, nothing from elsewhere.

    Raises:
        Refused: it could do more, or is none.
    """
    if "<!ENTITY" in text:
        raise Refused("has SVG with entities")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 (its size is limited, and it has no entities)
    except (ElementTree.ParseError, RecursionError) as problem:
        raise Refused("has SVG that can't be read") from problem
    for element in _drawn(root):
        name = element.tag.removeprefix(f"{{{SVG}}}") if isinstance(element.tag, str) else "comment"
        if name not in DRAWING:
            raise Refused(f"has SVG with <{name}>")
        if name == "style" and (OUTSIDE.search(element.text or "") or not EVERYTHING.fullmatch(element.text or "")):
            raise Refused("has SVG with a style that would reach the page")
        for attribute, value in element.attrib.items():
            _attribute(attribute.rpartition("}")[2].lower(), value)


def _drawn(root: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """Yield the elements of a drawing, but for what it says of itself: that is not shown."""
    yield root
    for part in root:
        if part.tag != f"{{{SVG}}}metadata":
            yield from part.iter()


def _attribute(name: str, value: str) -> None:
    inside = value.startswith("#") or re.match(r"data:image/(png|jpeg|gif|webp);base64,", value)
    if name.startswith("on") or OUTSIDE.search(value) or (name in ("href", "src") and not inside):
        raise Refused(f"has SVG with {name}={value[:40]!r}")


def keep(accepted: Sequence[Accepted], recordings: Store) -> None:
    """Write runs to the recordings; they take the place of those of the same blocks on the same devices.

    Raises:
        OSError: the disk is full or read-only.
    """
    new = {(each.entry.name, each.entry.recipe.environment.device): each.entry.key for each in accepted}
    for each in accepted:
        recordings.put(each.entry.key, each.run, each.entry.recipe, each.entry.name)
    kept = set()
    for old in list(recordings.entries()):
        if new.get((old.name, old.recipe.environment.device), old.key) == old.key:
            kept.add(old.key.code)
        else:
            old.path.unlink(missing_ok=True)
    recordings.clean(kept)
