"""The client of the process that runs blocks now, a kernel or a fork of one: requests, events, and limits on both.

`KernelClient.run` is for one thread, the owner of the session. Any other may call `interrupt`, which kills the process
and wakes the owner; the owner tells by its own state whether that was meant.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path

import psutil

from codeout.config import Config
from codeout.errors import BlockError
from codeout.kernel import scratch
from codeout.model.blocks import Block
from codeout.run.connection import MAX_WAIT, Closed, Connection
from codeout.run.observer import Observer
from codeout.run.protocol import (
    BeginEvent,
    DoneEvent,
    Event,
    ForkedEvent,
    InvalidEvent,
    LoadedEvent,
    LoadRequest,
    Request,
    RunRequest,
    StreamEvent,
)
from codeout.run.results import BlockResult, OutputCollector
from codeout.run.termination import is_running, kill_all

CHILD_TEXT = (scratch.STDOUT, scratch.STDERR)
EXTRA_TIME = 2.0  # seconds after the time limit in which the kernel writes down where it hangs
TICK = 1.0  # seconds between two calls of `on_progress`
START_TIME = 120.0  # seconds that Python may take to start, on a machine that is busy
MAX_CHILD_BYTES = 256_000_000  # that C code and child processes of a session may print; nobody could read it
MAX_FIRST_TEXT = 500  # characters of what a block printed first, in a message about a kernel that died or hung
MAX_LAST_TEXT = 2_000  # characters or bytes of what it printed last
MAX_CHILD_TEXT = 2_000  # bytes of what its children printed first: the error of a worker that is started over and over
MAX_STACKS = 100_000  # bytes of the tracebacks of all threads
MAX_IDLE = 8.0  # seconds without any processor time, while the main thread waits for a lock
LOCK = "futex"  # in the name of the kernel function in which a thread that waits for a lock sleeps


class TooMuchText(Exception):
    """The processes that a block has started print without end."""


class KernelClient:
    """Runs blocks in a process."""

    def __init__(
        self, config: Config, folder: Path, connection: Connection, pid: int, observer: Observer | None
    ) -> None:
        """Take the settings, the scratch folder of the session, the connection to the process, and its id.

        The observer knows what the process has touched; there is none where a kernel reports that itself.
        """
        self.pid = pid
        self._observer = observer
        self.fork = connection.fork
        """What was handed over of the process, if it is a fork of the session's kernel."""
        self._config, self._folder, self._connection = config, folder, connection
        self._first_text = self._last_text = ""  # the beginning and the end of what the block has printed
        self.was_stuck = False
        """Whether it was killed since it waited for a thread that a fork does not have."""

    def run(self, block: Block, on_progress: Callable[[str], None], end_all: Callable[[], None]) -> BlockResult:
        """Run a block.

        Args:
            block: the block.
            on_progress: is called about every second, and with each text that the block prints.
            end_all: ends the process, and all that it has started, when it does not keep to the rules.

        Raises:
            BlockError: its folder does not exist, it took longer than it may, or it sent something that is no event.
            Closed: the process has ended.
        """
        limit = block.timeout or self._config.timeout
        collector = OutputCollector(block.checks_line)
        self._first_text = self._last_text = ""
        sizes = {path: path.stat().st_size for path in self._child_files()}
        try:
            self._connection.send(self._request(block, limit))
            for event in self._receive_for(limit, on_progress):
                if isinstance(event, DoneEvent):
                    report = self._observer.complete(event, self.pid) if self._observer else event
                    return BlockResult(outputs=collector.collapsed(), report=report)
                collector.add(event)
                text = event.text if isinstance(event, StreamEvent) else ""
                self._first_text += text[: MAX_FIRST_TEXT - len(self._first_text)]
                self._last_text = (self._last_text + text)[-MAX_LAST_TEXT:]
                on_progress(text)
        except (InvalidEvent, TooMuchText) as problem:
            end_all()
            raise BlockError(f"{block}: {problem}") from problem
        end_all()
        self._first_text = self._first_text or self._child_text(sizes)
        stacks = _stacks_of(block, _without_kernel(_read(self._folder / scratch.STACKS, 0, MAX_STACKS)))
        advice = "if it needs more time, set `timeout`"
        raise BlockError(f"{block}: took longer than {limit:g} s; {advice}{self.last_output(stacks)}")

    def load(self, request: LoadRequest) -> tuple[LoadedEvent, bool] | None:
        """Import what sessions will; return what came of it, and whether something was printed. None if it died."""
        is_silent, deadline = True, time.monotonic() + self._config.timeout
        try:
            self._connection.send(request)
            while (left := deadline - time.monotonic()) > 0:
                event = self._connection.receive(left)
                if isinstance(event, LoadedEvent):
                    return (self._observer.complete(event, self.pid) if self._observer else event), is_silent
                is_silent = False
        except (Closed, InvalidEvent):
            pass
        return None

    def request_fork(self, request: Request) -> bool:
        """Ask the process to fork; return whether it does."""
        try:
            self._connection.send(request)
            while event := self._connection.receive(MAX_WAIT):
                if isinstance(event, ForkedEvent):
                    return event.forked
        except (Closed, InvalidEvent):  # it was interrupted, or something else writes to its pipe
            return False
        return False

    def interrupt(self, spare: Container[int] = ()) -> None:
        """Kill the process and what it has started, but for some that are spared. Any thread may call this.

        Whoever waits for the block's result is told that the process has ended.
        """
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            kill_all(each for each in (*process.children(recursive=True), process) if each.pid not in spare)
        self._connection.cancel()  # a process that the block has forked may keep the connection open

    def hang_up(self) -> None:
        """Let the process exit once it has no block to run."""
        self._connection.close()

    def last_output(self, more: str) -> str:
        """Return the end of a message about a process that died or hung: what its block printed, and more."""
        last = self._last_text.strip()
        text = "\n".join(part for part in (last, more) if part)
        first = "" if self._first_text.strip() in last else f"; first output:\n{self._first_text.strip()}\n"
        return f"{first}; last output:\n{text}" if text else ""

    def _child_files(self) -> list[Path]:
        return [path for name in CHILD_TEXT for path in self._folder.glob(f"{name}*")]

    def _child_text(self, sizes: Mapping[Path, int]) -> str:
        """Return the beginning of what C code and child processes have printed since their files had these sizes."""
        texts = (_read(path, sizes.get(path, 0), MAX_CHILD_TEXT).strip() for path in self._child_files())
        return "\n".join(filter(None, texts))

    def end_of(self, name: str) -> str:
        """Return the end of one of the kernel's own files."""
        with contextlib.suppress(OSError):
            path = self._folder / name
            return _read(path, max(path.stat().st_size - MAX_LAST_TEXT, 0), MAX_LAST_TEXT).strip()
        return ""

    def _request(self, block: Block, limit: float) -> RunRequest:
        workdir = str(self._config.path(block.workdir)) if block.workdir else ""
        if workdir and not Path(workdir).is_dir():
            raise BlockError(f"{block}: workdir: {block.workdir} is not a folder")
        return RunRequest(
            code=block.executable_code,
            checks=block.checks,
            checks_line=block.checks_line,
            file=block.origin.path,
            line=block.origin.line,
            width=block.width,
            workdir=workdir,
            keeps_saved_figures=block.keeps_saved_figures,
            has_magics=self._config.magics,
            timeout=limit,
        )

    def _check_child_text(self) -> None:
        """Check that what C code and child processes print does not fill the disk.

        Raises:
            TooMuchText: it would.
        """
        size = 0
        with contextlib.suppress(OSError):  # the session ends meanwhile
            size = sum(path.stat().st_size for path in self._child_files())
        if size > MAX_CHILD_BYTES:
            raise TooMuchText(f"its child processes printed more than {MAX_CHILD_BYTES / 1e6:.0f} MB; print less")

    def _receive_for(self, limit: float, on_progress: Callable[[str], None]) -> Iterator[Event]:
        """Yield events until a block has used up its time, in seconds, or has ended.

        Time begins when the block does, and time in which this process was stopped does not count.

        Raises:
            Closed: the process ended before the limit.
            InvalidEvent: it sent something that is no event.
            TooMuchText: its children print without end.
        """
        left, last = START_TIME, time.monotonic()
        checked = last
        watchdog = Watchdog(self.pid) if self.fork else None
        while left > 0:
            try:
                event = self._connection.receive(min(TICK, left))
                if event is None and not is_running(self.pid):  # one that it has forked may keep the connection open
                    raise Closed
            except Closed:
                if left > EXTRA_TIME:
                    raise
                return  # it ended because it has written down where it hangs
            now = time.monotonic()
            if now - checked > TICK:
                checked = now
                self._check_child_text()
            left, last = left - min(now - last, 2 * TICK), now
            if isinstance(event, BeginEvent):
                left = limit + EXTRA_TIME
            elif event is not None:
                yield event
            elif watchdog and watchdog.is_stuck():  # its session is replayed
                self.was_stuck = True
                self.interrupt()
                raise Closed
            else:
                on_progress("")


def _read(path: Path, start: int, size: int) -> str:
    """Return a part of what a process has written, in bytes; nothing if the file is not there."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(start)
        return file.read(size).decode("utf8", "replace")
    return ""


def _stacks_of(block: Block, stacks: str) -> str:
    """Return the end of those stacks that are in the code of a block, or else of all."""
    parts = stacks.split("\n\n")
    own = [part for part in parts if f'File "{block.origin.path}"' in part]
    return "\n\n".join(own or parts)[-MAX_LAST_TEXT:].strip()


def _without_kernel(stacks: str) -> str:
    """Return the stacks that `faulthandler` wrote, without frames of the kernel and of what started it."""
    own = (f'File "{Path(scratch.__file__).parent}', 'File "<frozen runpy>"')
    return "\n".join(line for line in stacks.splitlines() if not line.strip().startswith(own))


class Watchdog:
    """Notices that a process which resumed from a checkpoint waits for a thread that its copy does not have.

    Sleeping, reading and waiting for another process are no reason to worry.
    """

    def __init__(self, pid: int) -> None:
        """Begin to watch."""
        self._pid = pid
        self._used = -1.0
        self._since = time.monotonic()

    def is_stuck(self) -> bool:
        """Return whether the process has used no time for a while, and waits for a lock; call it now and then."""
        try:
            process = psutil.Process(self._pid)
            used = sum(sum(each.cpu_times()[:2]) for each in (process, *process.children(recursive=True)))
            place = Path(f"/proc/{self._pid}/wchan").read_text("utf8")
        except (psutil.Error, OSError):
            return False
        if used != self._used or LOCK not in place:
            self._used, self._since = used, time.monotonic()
        return time.monotonic() - self._since > MAX_IDLE
