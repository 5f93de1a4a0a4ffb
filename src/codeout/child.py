"""The parent's end of a worker: starts it, gives it blocks, waits no longer than a block may take, and ends it.

A worker has a scratch folder of its own, which is gone with it, and an environment with nothing in it but what a
program needs to start and what the settings name: no token of the build reaches a block.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from codeout.blocks import Block
from codeout.config import Config
from codeout.errors import BlockError
from codeout.outputs import Error, Figure, Output, Stream, Value, tidy

KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")
GRACE = 2.0  # seconds after the time limit in which the worker writes down where it hung
LINGER = 5.0  # seconds that an idle worker may take to end


class Worker:
    """A child process that runs the blocks of one session."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.folder = Path(tempfile.mkdtemp(prefix="codeout-"))
        for link in config.links:
            _link(config.path(link), self.folder / link)
        folders = [str(config.path(path)) for path in config.paths]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "codeout.worker", str(os.getpid()), *folders],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self.folder,
            env=_environment(config, self.folder),
            start_new_session=True,
        )
        self._events: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def run(self, block: Block, tick: Callable[[str], None]) -> tuple[list[Output], float]:
        """Run a block; return its outputs, as a screen would end up showing them, and the seconds it took.

        Args:
            block: the block.
            tick: called about every second, and with each text as it comes.

        Raises:
            BlockError: it took longer than it may, or the process died.
        """
        limit = block.timeout or self._config.timeout
        file = block.origin
        request = {
            "code": block.code,
            "file": file.path,
            "line": file.line,
            "width": block.width,
            "workdir": str(self._config.path(block.workdir)) if block.workdir else "",
            "timeout": limit,
        }
        self._send(request, block)
        outputs: list[Output] = []
        for event in self._answers(block, limit, tick):
            if "done" in event:
                return list(tidy(outputs)), float(event["done"])
            if "clear" in event:
                outputs.clear()
            else:
                outputs.append(_output(event))
                tick(event.get("text", ""))
        raise AssertionError("the answers of a worker end with 'done' or an exception")

    def close(self) -> None:
        """End the process and all that it started, and remove its scratch folder."""
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LINGER)
        self._kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _send(self, request: dict[str, Any], block: Block) -> None:
        if self._process.stdin is None:
            raise AssertionError("a worker is started with a pipe to its standard input")
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise BlockError(f"{block}: {self._death()}") from None

    def _answers(self, block: Block, limit: float, tick: Callable[[str], None]) -> Iterator[dict[str, Any]]:
        deadline = time.monotonic() + limit + GRACE
        while (left := deadline - time.monotonic()) > 0:
            try:
                raw = self._events.get(timeout=min(1.0, left))
            except queue.Empty:
                tick("")
                continue
            if not raw:
                raise BlockError(f"{block}: {self._death()}")
            yield json.loads(raw)
        self._kill()
        raise BlockError(f"{block}: took longer than {limit:g} s\n{self._tail('.stacks')}")

    def _read(self) -> None:
        """Pass on the lines of the worker; an empty one says that it is gone."""
        if self._process.stdout:
            for line in self._process.stdout:
                self._events.put(line)
        self._events.put(b"")

    def _death(self) -> str:
        code = self._process.wait()
        how = f"ended itself with exit code {code}"
        if code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
            if -code == signal.SIGKILL:
                how += " (out of memory?)"
        last = self._tail(".stderr")
        return f"the process of the session {how}" + (f"; it said last:\n{last}" if last else "")

    def _tail(self, name: str) -> str:
        with contextlib.suppress(OSError):
            return (self.folder / name).read_text(encoding="utf8", errors="replace")[-2000:].strip()
        return ""

    def _kill(self) -> None:
        if sys.platform == "win32":
            self._process.kill()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _output(event: dict[str, Any]) -> Output:
    if "stream" in event:
        return Stream(event["stream"], event["text"])
    if "error" in event:
        return Error(event["error"], event["message"], event["traceback"], event["line"])
    return Value(event["display"]) if event["alt"] is None else Figure(event["display"], event["alt"])


def _environment(config: Config, folder: Path) -> dict[str, str]:
    own = {name: os.environ[name] for name in (*KEPT, *config.variables) if name in os.environ}
    return {
        **own,
        "HOME": str(folder),
        "USERPROFILE": str(folder),
        "TMPDIR": str(folder),
        "TEMP": str(folder),
        "MPLBACKEND": "module://codeout.backend",
        "PYTHONUTF8": "1",
        "PYTHONHASHSEED": "0",
        "CODEOUT_ROOT": str(config.root.resolve()),
    }


def _link(target: Path, link: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":  # a junction needs no privilege there, a symbolic link does
        import _winapi

        _winapi.CreateJunction(str(target), str(link))
    else:
        link.symlink_to(target, target_is_directory=True)
