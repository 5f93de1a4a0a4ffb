"""The parent's end of a worker: starts it, gives it blocks, waits no longer than a block may take, and ends it.

A worker has a scratch folder of its own, which is gone with it, and an environment with nothing in it but what a
program needs to start and what the settings name: no token of the build reaches a block.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import psutil

from codeout.cache.keys import KEYED
from codeout.config import Config
from codeout.errors import BlockError
from codeout.model.blocks import Block
from codeout.model.outputs import Output
from codeout.model.terminal import collapse_streams
from codeout.run.checkpoints import PATIENCE, Checkpoints
from codeout.run.protocol import BlockResult, event_of, output, sound

NEEDED = ("PATH", "SYSTEMROOT", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")  # to start at all
GRACE = 2.0  # seconds after the time limit in which the worker writes down where it hung
ROUNDS = 20  # of looking for processes that start others as they end
LINGER = 5.0  # seconds that an idle worker may take to end
WATCH = 'read _; kill -KILL "-$1"; rm -rf "$2"'  # until the build hangs up, in whatever way


class KernelProcess:
    """A child process that runs the blocks of one session."""

    def __init__(self, config: Config) -> None:
        """Start the process, in a new scratch folder."""
        self._config = config
        self.folder = Path(tempfile.mkdtemp(prefix="codeout-"))
        for link in config.links:
            _link(config.path(link), self.folder / link)
        folders = [str(config.path(path)) for path in config.paths]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "codeout.kernel", str(os.getpid()), *folders],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self.folder,
            env=_environment(config, self.folder),
            start_new_session=True,
        )
        self._watcher = _watch(self._process.pid, self.folder)
        self._said = ""  # the end of what the block has printed
        self._resumed: socket.socket | None = None  # the way to the process, if it is a copy that goes on
        self._copies = Checkpoints(self.folder) if config.checkpoints and sys.platform == "linux" else None
        self._listen(self._process.stdout)

    def run(self, block: Block, tick: Callable[[str], None]) -> BlockResult:
        """Run a block.

        Args:
            block: the block.
            tick: called about every second, and with each text as it comes.

        Raises:
            BlockError: it took longer than it may, or the process died.
        """
        limit = block.timeout or self._config.timeout
        request = {
            "code": block.executable_code,
            "file": block.origin.path,
            "line": block.origin.line,
            "width": block.width,
            "workdir": str(self._config.path(block.workdir)) if block.workdir else "",
            "timeout": limit,
        }
        self._said = ""
        self._send(request, block)
        outputs: list[Output] = []
        displayed: dict[str, int] = {}  # display_id → its place in `outputs`
        for event in self._answers(block, limit, tick):
            if "done" in event:
                modules, values = tuple(event["modules"]), dict(event["values"])
                return BlockResult(
                    tuple(collapse_streams(outputs)), float(event["done"]), modules, values, bool(event["safe"])
                )
            if "clear" in event:
                outputs.clear()
            elif event.get("update") and event["id"] in displayed:
                outputs[displayed[event["id"]]] = output(event)
            else:
                if event.get("id"):
                    displayed[event["id"]] = len(outputs)
                outputs.append(output(event))
                self._said = (self._said + event.get("text", ""))[-2000:]
                tick(event.get("text", ""))
        raise AssertionError("the answers of a worker end with 'done' or an exception")

    def checkpoint(self, number: int) -> bool:
        """Have a copy kept of the process as it is now, after `number` blocks; return whether there is one.

        Raises:
            BlockError: the process died.
        """
        if self._copies is None or not self._copies.room():
            return False
        try:
            self._put({"checkpoint": number})
        except OSError:  # it is gone: interrupted, most likely
            return False
        answer: dict[str, Any] = {}
        while "checkpoint" not in answer:  # before it may come text of what a block has left running
            try:
                raw = self._events.get(timeout=PATIENCE)
            except queue.Empty:
                return False
            if not raw:
                return False
            answer = event_of(raw)
        return bool(answer["checkpoint"]) and self._copies.add(number)

    def resume(self, number: int) -> bool:
        """Go on from the copy that was made after `number` blocks; return whether it answered in time."""
        if self._copies is None:
            return False
        self._end_process()
        self._resumed = self._copies.wake(number)
        if self._resumed is None:
            return False
        self._listen(self._resumed.makefile("rb"))
        return True

    def interrupt(self) -> None:
        """End the process that runs a block now, and what it has started, at once; copies of it stay.

        May be called from any thread. Whoever waits for the block's answer gets a `BlockError`.
        """
        kept = self._copies.sleeping if self._copies else frozenset[int]()
        awake = (self._copies and self._copies.awake) or self._process.pid
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(awake)
            for each in (*process.children(recursive=True), process):
                if each.pid not in kept:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        each.kill()
        self._events.put(b"")  # what it has forked may still hold its pipe, and nobody would hear that it is gone

    def close(self) -> None:
        """End the process and all that it started, and remove its scratch folder."""
        started = self._descendants()  # now, while the worker is there to ask
        self._end_process()
        self.kill(started)
        if self._copies:
            self._copies.close()
        if self._watcher:
            with self._watcher:  # closes the pipe
                self._watcher.kill()
        for _ in range(ROUNDS):
            if not (strays := _strays(self.folder)):
                break
            for each in strays:
                with contextlib.suppress(psutil.Error):
                    each.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self, started: tuple[psutil.Process, ...] | None = None) -> None:
        """End the process and all that it started, at once. May be called from any thread."""
        for process in self._descendants() if started is None else started:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if sys.platform == "win32":
            self._process.kill()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _end_process(self) -> None:
        """Let the process that runs blocks end by itself."""
        if self._resumed:
            with contextlib.suppress(OSError):
                self._resumed.shutdown(socket.SHUT_RDWR)  # closing alone would wait for the thread that reads
            self._resumed.close()
            self._resumed = None
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LINGER)

    def _descendants(self) -> tuple[psutil.Process, ...]:
        """Return the processes that blocks have started, those included that have left the group."""
        found: list[psutil.Process] = []
        copies = (*self._copies.sleeping, self._copies.awake) if self._copies else ()
        for pid in (self._process.pid, *(pid for pid in copies if pid)):
            with contextlib.suppress(psutil.NoSuchProcess):
                found += psutil.Process(pid).children(recursive=True)
        return tuple(found)

    def _send(self, request: dict[str, Any], block: Block) -> None:
        try:
            self._put(request)
        except OSError:
            raise BlockError(f"{block}: {self._death()}") from None

    def _put(self, request: dict[str, Any]) -> None:
        raw = json.dumps(request).encode() + b"\n"
        if self._resumed:
            self._resumed.sendall(raw)
        elif self._process.stdin:
            self._process.stdin.write(raw)
            self._process.stdin.flush()

    def _answers(self, block: Block, limit: float, tick: Callable[[str], None]) -> Iterator[dict[str, Any]]:
        deadline = time.monotonic() + limit + GRACE
        while (left := deadline - time.monotonic()) > 0:
            try:
                raw = self._events.get(timeout=min(1.0, left))
            except queue.Empty:
                tick("")
                if self._alive():
                    continue
                raw = b""  # it is gone, though a process that it forked may still hold its pipe
            if not raw and time.monotonic() < deadline - GRACE:
                raise BlockError(f"{block}: {self._death()}")
            if not raw:  # writing down where it hung has ended it
                break
            event = event_of(raw)
            if not sound(event):
                self.kill()
                raise BlockError(f"{block}: wrote to where its process answers: {raw[:80]!r}")
            yield event
        self.kill()
        raise BlockError(f"{block}: took longer than {limit:g} s{self._last_words(self._tail('.stacks'))}")

    def _alive(self) -> bool:
        """Return whether the process that runs a block now is there."""
        if self._resumed is None or self._copies is None or self._copies.awake is None:
            return self._process.poll() is None
        try:
            return psutil.Process(self._copies.awake).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def _listen(self, source: IO[bytes] | None) -> None:
        """Collect the lines of the process from now on; an empty one says that it is gone."""
        self._events: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        events = self._events

        def read() -> None:
            with contextlib.suppress(OSError, ValueError), source or io.BytesIO() as lines:
                for line in lines:
                    events.put(line)
            events.put(b"")

        threading.Thread(target=read, daemon=True).start()

    def _death(self) -> str:
        if self._resumed:
            return f"the process of the session ended{self._last_words('')}"
        code = self._process.wait()
        how = f"ended itself with exit code {code}"
        if code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
            if -code == signal.SIGKILL:
                how += " (out of memory?)"
        return f"the process of the session {how}{self._last_words(self._tail('.stderr'))}"

    def _last_words(self, more: str) -> str:
        said = "\n".join(part for part in (self._said.strip(), more) if part)
        return f"; it said last:\n{said}" if said else ""

    def _tail(self, name: str) -> str:
        with contextlib.suppress(OSError):
            return (self.folder / name).read_text(encoding="utf8", errors="replace")[-2000:].strip()
        return ""


def _strays(folder: Path) -> list[psutil.Process]:
    """Return the processes that blocks have started and left behind, wherever they have moved: by their environment."""
    found = []
    for pid in psutil.pids():  # `process_iter` is not for several threads at once
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if process.environ().get("TMPDIR") == str(folder):
                found.append(process)
    return found


def _environment(config: Config, folder: Path) -> dict[str, str]:
    own = {name: os.environ[name] for name in (*NEEDED, *KEYED, *config.variables) if name in os.environ}
    return {
        **own,
        "HOME": str(folder),
        "USERPROFILE": str(folder),
        "TMPDIR": str(folder),
        "TEMP": str(folder),
        "MPLBACKEND": "module://codeout.kernel.matplotlib_backend",
        "PYTHONUTF8": "1",
        "PYTHONHASHSEED": "0",
        "CODEOUT_ROOT": str(config.root.resolve()),
    }


def _watch(group: int, folder: Path) -> subprocess.Popen[bytes] | None:
    """Start what cleans up behind a worker if the build is killed before it can."""
    if sys.platform == "win32":
        return None
    command = ["/bin/sh", "-c", WATCH, "sh", str(group), str(folder)]
    nothing = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nothing, stderr=nothing, start_new_session=True)


def _link(target: Path, link: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":  # a junction needs no privilege there, a symbolic link does
        import _winapi

        _winapi.CreateJunction(str(target), str(link))
    else:
        link.symlink_to(target, target_is_directory=True)
