"""The messages between the build and a kernel."""

from __future__ import annotations

import json

import pytest

from codeout.kernel.events import encode_event
from codeout.run import protocol
from codeout.run.protocol import (
    CheckpointRequest,
    DisplayEvent,
    InvalidEvent,
    RunRequest,
    decode_event,
    encode,
)

DONE = {"event": "done", "seconds": 1.5, "values": {}, "obstacle": "", "observed": [["file", "/m.py", [1, 2, 3, 4]]]}
RUN = RunRequest(
    code="a\nb",
    checks="assert a",
    checks_line=9,
    file="docs/page.md",
    line=3,
    width=0,
    workdir="",
    keeps_saved_figures=True,
    has_magics=False,
    timeout=60.0,
)


def test_a_request_is_one_line_of_json() -> None:
    line = encode(RUN)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert json.loads(line) == {
        "request": "run", "code": "a\nb", "checks": "assert a", "checks_line": 9,
        "file": "docs/page.md", "line": 3, "width": 0, "workdir": "",
        "keeps_saved_figures": True, "has_magics": False, "timeout": 60.0
    }  # fmt: skip
    assert json.loads(encode(CheckpointRequest(2))) == {"request": "checkpoint", "ticket": 2}


def test_an_event_of_a_kernel_is_typed() -> None:
    line = encode_event(
        "display", {"data": {"text/plain": "\u00e9\ud800"}, "alt": None, "width": 5, "id": "a", "update": True}
    )
    assert decode_event(line) == DisplayEvent(
        data={"text/plain": "\u00e9\\ud800"}, alt=None, width=5, id="a", update=True
    )


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"garbage", id="no JSON"),
        pytest.param(b"\xff", id="no UTF-8"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="no kind"),
        pytest.param(b'{"event": "shutdown"}', id="an unknown kind"),
        pytest.param(b'{"event": "stream", "name": "stdin", "text": "x"}', id="an unknown channel"),
        pytest.param(b'{"event": "stream", "name": "stdout", "text": 5}', id="a number for text"),
        pytest.param(b'{"event": "clear", "x": ' + b"[" * 100_000, id="deep nesting"),
        pytest.param(json.dumps(DONE | {"seconds": -1}).encode(), id="a negative duration"),
        pytest.param(json.dumps(DONE | {"observed": [["file", "a\0", None]]}).encode(), id="a path that can't be"),
        pytest.param(json.dumps(DONE | {"values": {"x": []}}).encode(), id="a value that is a list"),
        pytest.param(json.dumps({k: v for k, v in DONE.items() if k != "values"}).encode(), id="a missing field"),
    ],
)
def test_what_is_no_event_is_refused_with_its_beginning(line: bytes) -> None:
    with pytest.raises(InvalidEvent, match=r"^the kernel sent an invalid message \(.+\): b['\"]"):
        decode_event(line)


def test_an_event_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    line = encode_event("stream", {"name": "stdout", "text": "x" * 100})
    decode_event(line)
    monkeypatch.setattr(protocol, "MAX_EVENT_SIZE", 100)
    with pytest.raises(InvalidEvent, match="larger than"):
        decode_event(line)
