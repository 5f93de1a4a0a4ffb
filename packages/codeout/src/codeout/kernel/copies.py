"""Run code in a copy of the process: it changes nothing here, whatever it does, and its events arrive all the same."""

from __future__ import annotations

import json
import os
import random
import signal
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from codeout.kernel.checkpoints import release_threads
from codeout.kernel.events import EventLog
from codeout.kernel.sharing import OpenFile

END = b'{"event": "end"'
"""What a copy sends last begins so; the parent keeps it to itself."""


def run_in_copy(log: EventLog, files: Iterable[OpenFile], work: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return what a function, which raises nothing, returns in a fork, for JSON. The process must share nothing."""
    reader, writer = os.pipe()
    release_threads()
    state = random.getstate()
    pid = os.fork()
    if not pid:
        os.close(reader)
        _be_copy(log, writer, state, files, work)
    os.close(writer)
    last = b""
    with os.fdopen(reader, "rb") as events:
        for line in events:
            # A program that the copy has left running may keep the pipe open.
            if line.startswith(END):
                last = line
                break
            log.pass_on(line)
    _, status = os.waitpid(pid, 0)
    if not last:
        code = os.waitstatus_to_exitcode(status)
        end = f"exited with code {code}" if code >= 0 else f"were killed by {signal.Signals(-code).name}"
        message = f"the checks {end}"
        log.send("error", type="ChecksError", message=message, traceback=message, line=None, bases=[])
    return json.loads(last)["result"] if last else {}


def _be_copy(
    log: EventLog, writer: int, state: Any, files: Iterable[OpenFile], work: Callable[[], Mapping[str, Any]]
) -> NoReturn:
    """Do the work of the fork, and end it, whatever happens: nothing else of the kernel may go on in it."""
    try:
        # Python has given the generator of `random` a new seed in the fork.
        random.setstate(state)
        for file in files:
            file.reopen()
        log.adopt(writer)
        log.send("end", result=work())
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)
