"""Outputs from another machine: what may be shown of them."""

from __future__ import annotations

import re
from dataclasses import replace

from codeout.compare import svg
from codeout.compare.svg import Refused
from codeout.model.mime import IMAGES
from codeout.model.outputs import Bundle, Figure, Output, Run, Value

SHOWABLE = ("text/plain", "image/svg+xml", *IMAGES)  # types that a recording may show
MIME = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}")


def safe(run: Run) -> tuple[Run, set[str]]:
    """Return a run that shows nothing but text and pictures that cannot act, and the types of what was left out.

    Raises:
        Refused: it shows a picture that is none or that could act, or nothing that may be shown.
    """
    kept = [_safe(output) for output in run.outputs]
    return replace(run, outputs=tuple(output for output, _ in kept)), {mime for _, left in kept for mime in left}


def _safe(output: Output) -> tuple[Output, set[str]]:
    """Return an output with what text and pictures there are of it, and the types that were left out."""
    if not isinstance(output, Value | Figure):
        return output, set()
    if not all(MIME.fullmatch(mime) for mime in output.data):
        raise Refused("shows something of a type that is none")
    left = set(output.data) - set(SHOWABLE)
    kept = {mime: part for mime, part in output.data.items() if mime in SHOWABLE}
    if not kept:
        raise Refused(f"shows nothing but {', '.join(sorted(left))}, which a recording may not")
    return replace(output, data=_checked(kept)), left


def _checked(data: Bundle) -> Bundle:
    for mime, part in data.items():
        if mime == "image/svg+xml":
            svg.check(part)
        elif mime in IMAGES:
            svg.picture(mime, part)
    return data
