"""The options of a fence, as markdown-exec and the author write them, and code with the prompts of a console."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from codeout.errors import PageError, log, suggest
from codeout.markdown.sources import Location
from codeout.model.blocks import Block, Place
from codeout.model.sweeps import ONCE, Sweep, case_codes, parse_sweep

OWN_OPTIONS = ("measured", "raises", "show", "skip", "sweep", "timeout")
"""Options of a block that markdown-exec does not know."""
SHOWN = ("all", "code", "output", "nothing")
"""What a page shows of a block that runs: the values of the option `show`."""
SOURCES = ("above", "below", "block", "console", "material-block", "tabbed-left", "tabbed-right")
EXEC_OPTIONS = (
    *("exec", "html", "id", "idprefix", "result", "returncode"),
    *("session", "source", "tabs", "updatetoc", "width", "workdir"),
)
DISPLAY_OPTIONS = ("hl_lines", "linenums", "title", "title_mode")
"""Options of shown code, which markdown-exec passes on."""
PROMPTS = (">>> ", "... ")


def read_block(code: str, options: Mapping[str, Any], location: Location) -> Block:
    """Return the block that a fence describes, by the options as markdown-exec's validator returns them.

    Raises:
        PageError: an option is unknown, or has an invalid value.
    """
    extra, place = options.get("extra", {}), location.place
    choices = (*EXEC_OPTIONS, *OWN_OPTIONS, *DISPLAY_OPTIONS)
    for name in (name for name in extra if name not in choices and not name.startswith("data-")):
        message = f"{place}: unknown option {name!r}{suggest(name, choices)}"
        if get_close_matches(name, choices, n=1):
            raise PageError(message)
        log.warning("%s", message)  # it may be meant for another program
    if options["source"] not in ("", *SOURCES):
        raise PageError(f"{place}: invalid source {options['source']!r}{suggest(str(options['source']), SOURCES)}")
    for name in ("measured", "skip"):
        if (value := extra.get(name, "false")) not in ("true", "false"):
            raise PageError(f"{place}: {name} must be 'true' or 'false', not {value!r}")
    show = extra.get("show", "all")
    if show not in SHOWN:
        raise PageError(f"{place}: invalid show {show!r}{suggest(show, SHOWN)}")
    return Block(
        session=options["session"] or "",
        code=code,
        raises=extra.get("raises", ""),
        timeout=_seconds(extra.get("timeout"), place),
        width=options["width"] or 0,
        workdir=options["workdir"] or "",
        measured=extra.get("measured") == "true",
        shows_source=show == "code" or (show == "all" and bool(options["source"])),
        keeps_saved_figures=not options["html"] and bool(options["source"] or options["result"] or show != "all"),
        sweep=_sweep(extra.get("sweep"), code, location),
        **msgspec.structs.asdict(location),
    )


def split_prompts(code: str) -> tuple[str, str]:
    """Return the Python code of a console session, and its lines with prompts, without the outputs between them."""
    lines = [line for line in code.split("\n") if line.startswith(PROMPTS) or line.rstrip() in (">>>", "...")]
    return "\n".join(line[4:] for line in lines), "\n".join(lines)


def _sweep(text: str | None, code: str, location: Location) -> Sweep:
    if text is None:
        return ONCE
    try:
        sweep = parse_sweep(text)
        case_codes(code, sweep)
    except ValueError as problem:
        raise PageError(f"{location.place}: sweep {problem}") from problem
    return sweep


def _seconds(value: str | None, place: Place) -> float | None:
    if value is None:
        return None
    if not (re.fullmatch(r"\d+(\.\d+)?", value) and float(value) > 0):
        raise PageError(f"{place}: timeout must be a number of seconds, not {value!r}")
    return float(value)
