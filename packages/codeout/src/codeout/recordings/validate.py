"""Check a run from another machine, and leave out of it what a page may not show. Pure: a run in, a run out.

Everything in a recording is untrusted on each read, however it came into the folder: each name, date and number has a
shape, texts have no control characters, and pictures cannot act and stay within a budget.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from codeout.model.inputs import Input, is_elsewhere
from codeout.model.mime import PLAIN, RECORDABLE_NAMES, SVG
from codeout.model.outputs import Error, Figure, Output, Provenance, Run, Source, Stream, Value
from codeout.recordings.limits import CONTROL, InvalidRecording, PictureBudget, check_image, require
from codeout.recordings.svg import check_svg

MAX_OUTPUTS = 1_000
MAX_TEXT = 1_000_000
"""Characters of all text of a run; comparing as much with the site's own run takes some seconds."""
MAX_PICTURE_DATA = 32_000_000
"""Characters of all pictures of a run, in base64 or as SVG."""
MAX_NAMES = 500
"""Of packages or data sources of a run, or of base classes of an exception."""
MAX_SECONDS = 10_000_000
MAX_LINE = 10_000_000
EARLIEST_DATE = datetime(2024, 1, 1, tzinfo=UTC)
"""There were no recordings before."""

DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ()._+/-]{0,79}")
PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,39}")
CODE = re.compile(r"[0-9a-f]{1,40}")
DIGEST = re.compile(r"[0-9a-f]{64}|")
LOCAL_PATH = re.compile(r"\.|[\w-][\w .-]*(?:/[\w-][\w .-]*)*")
"""A path inside the site's folder."""
HIDDEN = re.compile(r"(?:^|/)\.[^./]")
"""In the path of a file that tools keep for themselves, such as a cache."""
MAX_PATH = 200
MAX_INPUTS = 5_000
SHARED_KINDS = ("file", "folder")
"""Packages, programs, variables, and the modules that its Python looked for, are those of the machine."""
ORIGIN = re.compile(r"[^\\\n]{1,300}:[0-9]{1,7}")
"""`path:line`."""
CLASS_NAME = re.compile(r"\w{1,100}")
SOURCE_WORD = re.compile(r"[^\n]{0,500}")
MIME = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}", re.ASCII)


def validate(run: Run, now: datetime) -> Run:
    """Return what a page may show of a run from another machine: text, and pictures that cannot act.

    Values of variables are left out, since pages show those of their own runs only. A run can't be from later than a
    day after now, a time with a zone.

    Raises:
        InvalidRecording: part of the run is malformed, too large, or a picture that could act.
        CodeoutError: it has raster images, and Pillow is not installed.
    """
    require(ORIGIN.fullmatch(run.origin) and not CONTROL.search(run.origin), "invalid code location")
    _check_provenance(run.provenance, now)
    inputs = shared_inputs(run.inputs)
    require(len(run.all_outputs) <= MAX_OUTPUTS, f"more than {MAX_OUTPUTS:,} outputs")
    for case in run.cases:
        are_words = all(map(SOURCE_WORD.fullmatch, case.values))
        require(are_words and len(case.values) <= MAX_NAMES, "invalid values of a case")
        require(0 <= case.seconds <= MAX_SECONDS, "invalid duration")
    shown_run = run.map_outputs(_recordable)
    _check_texts(shown_run.all_outputs)
    _check_pictures(shown_run.all_outputs)
    return msgspec.structs.replace(shown_run, inputs=inputs, values={})


def left_out(run: Run) -> set[str]:
    """Return the names of the MIME types that `validate` leaves out of a run's outputs."""
    bundles = [output.data for output in run.all_outputs if isinstance(output, Value | Figure)]
    return {mime for bundle in bundles for mime in bundle} - RECORDABLE_NAMES


def _check_provenance(provenance: Provenance, now: datetime) -> None:
    require(DEVICE.fullmatch(provenance.device), "invalid device name")
    require(VERSION.fullmatch(provenance.python), "invalid Python version")
    packages = provenance.packages
    are_valid = all(PACKAGE.fullmatch(name) and VERSION.fullmatch(version) for name, version in packages)
    require(are_valid and len(packages) <= MAX_NAMES, "invalid package name or version")
    require(CODE.fullmatch(provenance.code_digest), "invalid code digest")
    is_number = not isinstance(provenance.seconds, bool)
    require(is_number and 0 <= provenance.seconds <= MAX_SECONDS, "invalid duration")
    _check_date(provenance.date, now)
    _check_sources(provenance.sources)


def _check_date(date: str, now: datetime) -> None:
    """Check that a date is in the one notation whose order as text is that of time, and neither too early nor late."""
    try:
        time = datetime.fromisoformat(date)
        is_normal = time.tzinfo is not None and time.isoformat() == date
        require(is_normal and EARLIEST_DATE < time < now + timedelta(days=1), "invalid date")
    except (ValueError, OverflowError) as problem:
        raise InvalidRecording("invalid date") from problem


def _check_sources(sources: tuple[Source, ...]) -> None:
    words = [word for source in sources for word in (source.name, source.kind, source.note)]
    are_valid = all(SOURCE_WORD.fullmatch(word) and not CONTROL.search(word) for word in words)
    require(are_valid and len(sources) <= MAX_NAMES, "invalid data source")
    for source in sources:
        require(not source.is_placeholder, f"based on placeholder data for {source.name!r}")


def shared_inputs(inputs: tuple[Input, ...]) -> tuple[Input, ...]:
    """Return the inputs in the site's folder; the others are those of the machine that made the recording.

    Raises:
        InvalidRecording: there are too many, or one of them is malformed.
    """
    local = (input_ for input_ in inputs if input_.kind in SHARED_KINDS and not is_elsewhere(input_.name))
    shared = tuple(dict.fromkeys(input_ for input_ in local if not HIDDEN.search(input_.name)))
    require(len(shared) <= MAX_INPUTS, f"more than {MAX_INPUTS:,} inputs")
    for input_ in shared:
        is_path = len(input_.name) <= MAX_PATH and LOCAL_PATH.fullmatch(input_.name)
        require(is_path and DIGEST.fullmatch(input_.digest), "invalid input")
    return shared


def _recordable(output: Output) -> Output:
    """Return an output with only those of its representations that a recording may show."""
    match output:
        case Value(data) | Figure(data):
            require(all(map(MIME.fullmatch, data)), "invalid MIME type")
            recordable = {mime: part for mime, part in data.items() if mime in RECORDABLE_NAMES}
            require(recordable, f"an output has only {', '.join(sorted(data)[:5])}, which recordings may not contain")
            return msgspec.structs.replace(output, data=recordable)
        case Error(type=kind, line=line, bases=bases):
            are_names = all(map(CLASS_NAME.fullmatch, (kind, *bases)))
            require(are_names and len(bases) <= MAX_NAMES, "invalid exception name")
            require(line is None or 0 < line < MAX_LINE, "invalid exception line")
    return output


def _check_texts(outputs: Sequence[Output]) -> None:
    texts = [text for output in outputs for text in _texts(output)]
    require(sum(map(len, texts)) <= MAX_TEXT, f"more than {MAX_TEXT:,} characters of text")
    require(not any(map(CONTROL.search, texts)), "control characters in its text")


def _texts(output: Output) -> Iterator[str]:
    """Yield what a page would show of an output as text or alt text."""
    match output:
        case Stream(_, text):
            yield text
        case Error(type=kind, message=message, traceback=traceback):
            yield from (kind, message, traceback)
        case Figure(data, alt, _):
            yield from (alt, data.get(PLAIN.name, ""))
        case Value(data):
            yield data.get(PLAIN.name, "")


def _check_pictures(outputs: Sequence[Output]) -> None:
    bundles = [output.data for output in outputs if isinstance(output, Value | Figure)]
    pictures = [(mime, part) for data in bundles for mime, part in data.items() if mime != PLAIN.name]
    size = sum(len(part) for _, part in pictures)
    require(size <= MAX_PICTURE_DATA, f"more than {MAX_PICTURE_DATA:,} characters of image data")
    budget = PictureBudget()
    for mime, part in pictures:
        if mime == SVG.name:
            check_svg(part, budget)
        else:
            check_image(mime, part, budget)
