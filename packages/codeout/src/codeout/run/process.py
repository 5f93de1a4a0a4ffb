"""The kernel process of a session, as the build sees it: started, forked, resumed, and cleaned up.

One thread owns it at a time: the one that works on the session. `interrupt` and `kill` are for any thread; they only
send signals, and what is to be cleaned up is left to the owner, who notices that the process is gone.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import psutil

from codeout.config import Config
from codeout.errors import BlockError
from codeout.kernel import scratch
from codeout.model.blocks import Block
from codeout.run.checkpoints import Checkpoints, can_copy, copy_files
from codeout.run.connection import Closed, Connection, Fork, accept_fork
from codeout.run.kernel_client import KernelClient
from codeout.run.launch import create_scratch_folder, start_kernel, start_watcher, working_folder
from codeout.run.observer import Observer
from codeout.run.protocol import BranchRequest, CheckpointRequest, LoadedEvent, LoadRequest, SpawnRequest
from codeout.run.results import BlockResult
from codeout.run.termination import (
    descendants,
    describe_exit,
    exit_code_of,
    kill_all,
    kill_group,
    kill_strays,
    wait_for,
)

EXIT_TIME = 5.0
"""Seconds that an idle kernel may take to exit."""


class CannotFork(Exception):
    """A process is not forked now."""


class ProcessGroup:
    """Processes that end together. Any thread may use it."""

    def __init__(self) -> None:
        self._members: set[KernelProcess] = set()
        self._is_ended = False

    def add(self, process: KernelProcess) -> None:
        """Add a process, which is killed at once if the group has been ended."""
        # In this order, and in the opposite one in `end`: so one of the two sides sees what the other has done.
        self._members.add(process)
        if self._is_ended:
            process.kill()

    def discard(self, process: KernelProcess) -> None:
        """Remove a process that is closed."""
        self._members.discard(process)

    def interrupt(self) -> None:
        """Kill what the processes run now; their checkpoints stay."""
        for process in list(self._members):
            process.interrupt()

    def kill(self) -> None:
        """Kill the processes."""
        for process in list(self._members):
            process.kill()

    def end(self) -> None:
        """Kill the processes, and all that will be added."""
        self._is_ended = True
        self.kill()


class KernelProcess:
    """A child process that runs the blocks of one session, in a scratch folder that is removed with it."""

    def __init__(
        self,
        config: Config,
        group: ProcessGroup | None = None,
        origin: KernelProcess | None = None,
        *,
        is_base: bool = False,
    ) -> None:
        """Start the process; until it is closed, it is in the group, if there is one.

        Args:
            config: the settings.
            group: the processes to which it belongs.
            origin: a process to fork, which must stay until this one is closed; by default a new Python starts.
            is_base: whether it runs no blocks, but is there to be forked.

        Raises:
            PageError: the folder of the settings in which blocks work does not exist.
            CannotFork: the other process shares something with the world, or is gone.
        """
        self._config, self._origin = config, origin
        self.folder: Path = create_scratch_folder(config, origin.folder if origin else None, is_base=is_base)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._observer: Observer | None = None
        self._spawned, self._spawning = 0, Lock()  # held while it is forked for another session
        self._client = self._spawn(origin) if origin else self._start()
        self._pid = self._client.pid
        self._watcher = start_watcher(self._pid, self.folder)
        self.checkpoints = Checkpoints(self.folder)
        """The checkpoints of the process, and of those that have resumed from one; none where it cannot be forked."""
        self._branches: list[KernelClient] = []
        self._branchings = 0
        self.replays = ProcessGroup()
        """Processes that run a case of a sweep for this one, and end with it."""
        self.on_close: Callable[[], None] = lambda: None
        """Called when all that belongs to it has ended."""
        self._group = group or ProcessGroup()
        self._group.add(self)

    def _start(self) -> KernelClient:
        """Start a new Python."""
        with contextlib.ExitStack() as unless_started, contextlib.ExitStack() as theirs:
            unless_started.callback(shutil.rmtree, self.folder)
            sockets: list[socket.socket] = []
            if sys.platform == "linux":
                self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                connection, link = socket.socketpair()
                sockets = [theirs.enter_context(each) for each in (control, link)]
                self._observer = Observer(connection)
                unless_started.callback(self._close_sockets)
            self._process = start_kernel(self._config, self.folder, *sockets)
            unless_started.pop_all()  # from now on, `close` does that
        # What was started is the kernel itself only where there is no supervisor.
        pid = (self._observer.await_kernel() if self._observer else None) or self._process.pid
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both are pipes")
        events = Connection(self._process.stdin, self._process.stdout)
        return KernelClient(self._config, self.folder, events, pid, self._observer)

    def _spawn(self, origin: KernelProcess) -> KernelClient:
        """Fork another process."""
        with contextlib.ExitStack() as unless_started:
            unless_started.callback(shutil.rmtree, self.folder)
            workdir = str(working_folder(self._config, self.folder / scratch.FILES))
            self._observer = origin._observer
            with origin._spawning:
                control = origin._forks_control
                origin._spawned += 1
                request = SpawnRequest(ticket=origin._spawned, scratch=str(self.folder), folder=workdir)
                if control is None or not origin._client.request_fork(request):
                    raise CannotFork
                fork = accept_fork(control, origin._spawned)
            if fork is None:
                raise CannotFork
            unless_started.pop_all()
        self._control = fork.control
        return self._client_of(fork, origin._client.pid)

    def load(self, request: LoadRequest) -> tuple[LoadedEvent, bool] | None:
        """Import what sessions will; return what came of it, and whether something was printed. None if it died."""
        return self._client.load(request)

    @property
    def pid(self) -> int:
        """The process that was started or forked first."""
        return self._pid

    def memory(self) -> int:
        """Return the bytes of memory that the process takes, with its share of what it has in common with others."""
        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(self._pid).memory_full_info().pss)
        return 0

    @property
    def was_stuck(self) -> bool:
        """Whether it was killed since it waited for a thread that a fork does not have."""
        return self._client.was_stuck

    @property
    def has_files(self) -> bool:
        """Whether there is anything but links in the folder of the blocks' files."""
        return any(not path.is_symlink() for path in (self.folder / scratch.FILES).iterdir())

    def run(self, block: Block, on_progress: Callable[[str], None]) -> BlockResult:
        """Run a block.

        Args:
            block: the block.
            on_progress: is called about every second, and with each text that the block prints.

        Raises:
            BlockError: the block took longer than it may, the process died, or it sent something that is no event.
        """
        try:
            return self._client.run(block, on_progress, self.kill)
        except Closed:
            raise BlockError(f"{block}: {self._describe_death()}") from None

    def checkpoint(self, number: int) -> None:
        """Fork a checkpoint of the process as it is after `number` blocks, if that can be done."""
        if not self._config.checkpoints or self._forks_control is None or not self.checkpoints.has_room():
            return
        if self._client.request_fork(CheckpointRequest(number)):
            fork = self.checkpoints.add(number, self._forks_control)
            if fork and self._observer:
                self._observer.note_fork(self._client.pid, fork.pid)

    def resume(self, number: int) -> bool:
        """Continue in a process that resumes from the checkpoint after `number` blocks; return whether it answers."""
        self._hang_up()
        waiting, fork = self.checkpoints.resume(number)
        if fork is not None:
            self._client = self._client_of(fork, waiting.pid)
        return fork is not None

    def branch(self, count: int) -> Sequence[KernelClient]:
        """Fork the process as it is now, so that as many blocks can run in its place.

        Each has a temporary folder of its own, which is a copy; in a sandbox it works there.

        Returns:
            The forks; fewer than asked for, or none, if it cannot be done.
        """
        files, control = self.folder / scratch.FILES, self._forks_control
        if control is None or not can_copy(files):
            return []
        copies = [self.folder / scratch.BRANCHES / str(number) for number in range(count)]
        try:
            for folder in copies:
                shutil.rmtree(folder, ignore_errors=True)
                copy_files(files, folder)
        except OSError:
            return []
        self._branchings += 1
        folders = tuple((str(working_folder(self._config, copy)), str(copy)) for copy in copies)
        if not self._client.request_fork(BranchRequest(self._branchings, folders)):
            return []
        forks = [accept_fork(control, self._branchings) for _ in range(count)]
        self._branches = [self._client_of(fork, self._client.pid) for fork in forks if fork]
        return self._branches

    def end_branches(self) -> None:
        """End the forks that run in this process's place, and remove their files."""
        for branch in self._branches:
            branch.hang_up()
            branch.interrupt()
        self.replays.kill()
        self._branches = []
        shutil.rmtree(self.folder / scratch.BRANCHES, ignore_errors=True)

    def interrupt(self) -> None:
        """Kill the process that runs a block now, and what it has started. Its checkpoints stay.

        Whoever waits for the block's result gets a `BlockError`.
        """
        for client in (*self._branches, self._client):
            client.interrupt(self.checkpoints.pids)
        self.replays.kill()

    def close(self) -> None:
        """End the process and all that it has started, and remove its scratch folder."""
        self._group.discard(self)
        started = self._descendants()  # now, while their parent is there
        self._hang_up()
        self._kill(started)
        self.checkpoints.close()
        self._close_sockets()
        if self._watcher:
            with self._watcher:  # closes its pipe, and waits
                self._watcher.kill()
        kill_strays(str(self.folder))
        shutil.rmtree(self.folder, ignore_errors=True)
        self.on_close()

    def kill(self) -> None:
        """Kill the process and all that it has started, its checkpoints and replays included."""
        self._kill(self._descendants())
        self.replays.kill()

    @property
    def _forks_control(self) -> socket.socket | None:
        """Where the process that runs the blocks now hands over its forks."""
        return self._client.fork.control if self._client.fork else self._control

    def _client_of(self, fork: Fork, origin: int) -> KernelClient:
        """Return the client of a fork of a process with this id."""
        if self._observer:
            self._observer.note_fork(origin, fork.pid)
        return KernelClient(self._config, self.folder, Connection.from_fork(fork), fork.pid, self._observer)

    def _kill(self, started: tuple[psutil.Process, ...]) -> None:
        kill_all(started)
        kill_group(self._pid, self._process)
        if self._process is None:
            wait_for(self._pid, EXIT_TIME)

    def _close_sockets(self) -> None:
        if self._control:
            self._control.close()
        if self._observer and self._origin is None:
            self._observer.close()

    def _hang_up(self) -> None:
        """Let the process that runs the blocks exit."""
        self._client.hang_up()
        if self._process and self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._wait()

    def _descendants(self) -> tuple[psutil.Process, ...]:
        """Return the processes that blocks have started."""
        return descendants({self._pid, self._client.pid, *self.checkpoints.pids})

    def _wait(self) -> bool:
        """Wait until the kernel has ended; return whether it does in time."""
        if self._process is None or self._pid != self._process.pid:
            return wait_for(self._pid, EXIT_TIME)
        try:
            self._process.wait(EXIT_TIME)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _exit_code(self) -> int:
        """Return how the kernel has ended, as `subprocess` gives it.

        The system tells until a supervisor has written that down; the parent of a fork leaves it at that.
        """
        with contextlib.suppress(OSError, ValueError):
            return exit_code_of(self._pid)
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / scratch.EXIT).read_text())
        return self._process.wait() if self._process else -signal.SIGKILL

    def _describe_death(self) -> str:
        if self._client.pid != self._pid:
            return f"the kernel died{self._client.last_output('')}"
        if self._wait():
            end = describe_exit(self._exit_code())
        else:
            self.kill()
            end = "closed its connection to the build"
        return f"the kernel {end}{self._client.last_output(self._client.end_of(scratch.STDERR))}"
