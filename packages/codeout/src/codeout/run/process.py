"""The kernel process of a session, as the build sees it: runs blocks, keeps to their time limits, and is cleaned up."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from codeout.config import Config
from codeout.errors import BlockError
from codeout.kernel import scratch
from codeout.model.blocks import Block
from codeout.run.checkpoints import MAX_WAIT, Checkpoints
from codeout.run.connection import Closed, Connection
from codeout.run.launch import create_scratch_folder, start_kernel, start_watcher
from codeout.run.output_collector import OutputCollector
from codeout.run.protocol import (
    BeginEvent,
    BlockResult,
    CheckpointEvent,
    CheckpointRequest,
    DoneEvent,
    Event,
    InvalidEvent,
    RunRequest,
    StreamEvent,
)
from codeout.run.termination import descendants, describe_exit, is_running, kill_all, kill_group, kill_strays
from codeout.run.watchdog import Watchdog

EXTRA_TIME = 2.0  # seconds after the time limit in which the kernel writes down where it hangs
EXIT_TIME = 5.0  # seconds that an idle kernel may take to exit
TICK = 1.0  # seconds between two calls of `on_progress`
START_TIME = 120.0  # seconds that Python may take to start, on a machine that is busy
MAX_FIRST_TEXT = 500  # characters of what a block printed first, in such a message
MAX_LAST_TEXT = 2_000  # characters or bytes of a message about a kernel that died or hung


class KernelProcess:
    """A child process that runs the blocks of one session, in a scratch folder that is removed with it."""

    def __init__(self, config: Config) -> None:
        """Start the process."""
        self._config = config
        self.folder = create_scratch_folder(config)
        self._process = start_kernel(config, self.folder)
        self._watcher = start_watcher(self._process.pid, self.folder)
        self._first_text = self._last_text = ""  # the beginning and the end of what the block has printed
        can_checkpoint = config.checkpoints and sys.platform == "linux"
        self._checkpoints = Checkpoints(self.folder) if can_checkpoint else None
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both are pipes")
        self._connection = Connection(self._process.stdin, self._process.stdout)

    def run(self, block: Block, on_progress: Callable[[str], None]) -> BlockResult:
        """Run a block.

        Args:
            block: the block.
            on_progress: is called about every second, and with each text that the block prints.

        Raises:
            BlockError: the block took longer than it may, the process died, or it sent something that is no event.
        """
        limit = block.timeout or self._config.timeout
        collector = OutputCollector()
        self._first_text = self._last_text = ""
        try:
            self._connection.send(self._request(block, limit))
            for event in self._receive_for(limit, on_progress):
                if isinstance(event, DoneEvent):
                    return BlockResult(
                        collector.collapsed(),
                        event.seconds,
                        event.scalars(),
                        event.obstacle,
                        event.observed,
                        event.reads_lines,
                        event.used_network,
                    )
                collector.add(event)
                text = event.text if isinstance(event, StreamEvent) else ""
                self._first_text += text[: MAX_FIRST_TEXT - len(self._first_text)]
                self._last_text = (self._last_text + text)[-MAX_LAST_TEXT:]
                on_progress(text)
        except Closed:
            raise BlockError(f"{block}: {self._describe_death()}") from None
        except InvalidEvent as problem:
            self.kill()
            raise BlockError(f"{block}: {problem}") from problem
        self.kill()
        stacks = _without_kernel(self._end_of(scratch.STACKS))
        advice = "if it needs more time, set `timeout`"
        raise BlockError(f"{block}: took longer than {limit:g} s; {advice}{self._last_output(stacks)}")

    def checkpoint(self, number: int) -> bool:
        """Fork a checkpoint of the process as it is after `number` blocks; return whether there is one."""
        if self._checkpoints is None or not self._checkpoints.has_room():
            return False
        try:
            self._connection.send(CheckpointRequest(number))
            while event := self._connection.receive(MAX_WAIT):
                if isinstance(event, CheckpointEvent):
                    return event.forked and self._checkpoints.add(number)
        except (Closed, InvalidEvent):  # it was interrupted, or something else writes to its pipe
            return False
        return False

    def resume(self, number: int) -> bool:
        """Continue in a process that resumes from the checkpoint after `number` blocks; return whether it answers."""
        if self._checkpoints is None:
            return False
        self._hang_up()
        connection = self._checkpoints.resume(number)
        if connection is None:
            return False
        self._connection = Connection.from_socket(connection)
        return True

    def interrupt(self) -> None:
        """Kill the process that runs a block now, and what it has started. Its checkpoints stay.

        Any thread may call this; whoever waits for the block's result gets a `BlockError`.
        """
        checkpoints = self._checkpoints.pids if self._checkpoints else frozenset[int]()
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._running_pid)
            kill_all(each for each in (*process.children(recursive=True), process) if each.pid not in checkpoints)
        self._connection.cancel()  # a process that the block has forked may keep the connection open

    def close(self) -> None:
        """End the process and all that it has started, and remove its scratch folder."""
        started = self._descendants()  # now, while their parent is there
        self._hang_up()
        self._kill(started)
        if self._checkpoints:
            self._checkpoints.close()
        if self._watcher:
            with self._watcher:  # closes its pipe, and waits
                self._watcher.kill()
        kill_strays(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """Kill the process and all that it has started. Any thread may call this."""
        self._kill(self._descendants())

    def _kill(self, started: tuple[psutil.Process, ...]) -> None:
        kill_all(started)
        kill_group(self._process)

    def _hang_up(self) -> None:
        """Let the process that runs the blocks exit."""
        self._connection.close()
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_TIME)

    def _request(self, block: Block, limit: float) -> RunRequest:
        workdir = str(self._config.path(block.workdir)) if block.workdir else ""
        return RunRequest(block.executable_code, block.origin.path, block.origin.line, block.width, workdir, limit)

    def _receive_for(self, limit: float, on_progress: Callable[[str], None]) -> Iterator[Event]:
        """Yield events until a block has used up its time, in seconds, or has ended.

        Time begins when the block does, and time in which this process was stopped does not count.

        Raises:
            Closed: the process ended before the limit.
            InvalidEvent: it sent something that is no event.
        """
        left, last = START_TIME, time.monotonic()
        watchdog = Watchdog(self._running_pid) if self._running_pid != self._process.pid else None
        while left > 0:
            try:
                event = self._connection.receive(min(TICK, left))
                if event is None and not self._is_alive():  # a process that it has forked may keep the connection open
                    raise Closed
            except Closed:
                if left > EXTRA_TIME:
                    raise
                return  # it ended because it has written down where it hangs
            now = time.monotonic()
            left, last = left - min(now - last, 2 * TICK), now
            if isinstance(event, BeginEvent):
                left = limit + EXTRA_TIME
            elif event is not None:
                yield event
            elif watchdog and watchdog.is_stuck():  # the runner replays the session
                self.interrupt()
                raise Closed
            else:
                on_progress("")

    @property
    def _running_pid(self) -> int:
        """The process that runs the blocks now."""
        return (self._checkpoints and self._checkpoints.resumed_pid) or self._process.pid

    def _is_alive(self) -> bool:
        if self._running_pid == self._process.pid:
            return self._process.poll() is None
        return is_running(self._running_pid)

    def _descendants(self) -> tuple[psutil.Process, ...]:
        """Return the processes that blocks have started."""
        checkpoints = self._checkpoints.pids if self._checkpoints else frozenset[int]()
        return descendants({self._process.pid, self._running_pid, *checkpoints})

    def _describe_death(self) -> str:
        if self._running_pid != self._process.pid:
            return f"the kernel died{self._last_output('')}"
        try:
            end = describe_exit(self._process.wait(EXIT_TIME))
        except subprocess.TimeoutExpired:
            self.kill()
            end = "closed its connection to the build"
        return f"the kernel {end}{self._last_output(self._end_of(scratch.STDERR))}"

    def _last_output(self, more: str) -> str:
        last = self._last_text.strip()
        text = "\n".join(part for part in (last, more) if part)
        first = "" if self._first_text.strip() in last else f"; first output:\n{self._first_text.strip()}\n"
        return f"{first}; last output:\n{text}" if text else ""

    def _end_of(self, name: str) -> str:
        """Return the end of one of the kernel's own files."""
        with contextlib.suppress(OSError), (self.folder / name).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - MAX_LAST_TEXT, 0))
            return file.read().decode("utf8", "replace").strip()
        return ""


def _without_kernel(stacks: str) -> str:
    """Return the stacks that `faulthandler` wrote, without frames of the kernel and of what started it."""
    own = (f'File "{Path(scratch.__file__).parent}', 'File "<frozen runpy>"')
    return "\n".join(line for line in stacks.splitlines() if not line.strip().startswith(own))
