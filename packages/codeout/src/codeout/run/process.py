"""The kernel process of a session, as the build sees it: started, forked, resumed, and cleaned up."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence

import psutil

from codeout.config import Config
from codeout.errors import BlockError
from codeout.kernel import scratch
from codeout.model.blocks import Block
from codeout.run.checkpoints import Checkpoints, can_copy
from codeout.run.connection import Closed, Connection
from codeout.run.control_socket import ControlSocket
from codeout.run.launch import create_scratch_folder, start_kernel, start_watcher, temporary_folder, working_folder
from codeout.run.protocol import BlockResult, BranchRequest, CheckpointRequest
from codeout.run.running_kernel import RunningKernel
from codeout.run.scratch_files import copy_files
from codeout.run.termination import descendants, describe_exit, kill_all, kill_group, kill_strays

EXIT_TIME = 5.0  # seconds that an idle kernel may take to exit


class KernelProcess:
    """A child process that runs the blocks of one session, in a scratch folder that is removed with it."""

    def __init__(self, config: Config) -> None:
        """Start the process."""
        self._config = config
        self.folder = create_scratch_folder(config)
        self._process = start_kernel(config, self.folder)
        self._watcher = start_watcher(self._process.pid, self.folder)
        self._control = ControlSocket(self.folder) if sys.platform == "linux" else None
        self._checkpoints = Checkpoints(self.folder, self._control) if self._control and config.checkpoints else None
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both are pipes")
        connection = Connection(self._process.stdin, self._process.stdout)
        self._running = RunningKernel(config, connection, self._process.pid, self.folder)
        self._branches: list[RunningKernel] = []
        self.replays: set[KernelProcess] = set()
        """Processes that run a case of a sweep for this one, and end with it."""

    def run(self, block: Block, on_progress: Callable[[str], None]) -> BlockResult:
        """Run a block.

        Args:
            block: the block.
            on_progress: is called about every second, and with each text that the block prints.

        Raises:
            BlockError: the block took longer than it may, the process died, or it sent something that is no event.
        """
        try:
            return self._running.run(block, on_progress, self.kill)
        except Closed:
            raise BlockError(f"{block}: {self._describe_death()}") from None

    def checkpoint(self, number: int) -> bool:
        """Fork a checkpoint of the process as it is after `number` blocks; return whether there is one."""
        if self._checkpoints is None or not self._checkpoints.has_room():
            return False
        return self._running.fork(CheckpointRequest(number)) and self._checkpoints.add(number)

    def resume(self, number: int) -> bool:
        """Continue in a process that resumes from the checkpoint after `number` blocks; return whether it answers."""
        if self._checkpoints is None:
            return False
        self._hang_up()
        accepted = self._checkpoints.resume(number)
        if accepted is None:
            return False
        self._running = RunningKernel.from_fork(self._config, accepted, self.folder)
        return True

    def branch(self, count: int) -> Sequence[RunningKernel]:
        """Fork the process as it is now, so that as many blocks can run in its place.

        In a sandbox, each works in a copy of its files.

        Returns:
            The forks; fewer than asked for, or none, if it cannot be done.
        """
        files = self.folder / scratch.FILES
        if self._control is None or not can_copy(files):
            return []
        copies = [self.folder / scratch.BRANCHES / str(number) for number in range(count)]
        try:
            for folder in copies if self._config.sandbox else ():
                shutil.rmtree(folder, ignore_errors=True)
                copy_files(files, folder)
        except OSError:
            return []
        folders = tuple(str(working_folder(self._config, copy)) for copy in copies)
        if not self._running.fork(BranchRequest(folders)):
            return []
        accepted = [self._control.accept("branch") for _ in range(count)]
        self._branches = [RunningKernel.from_fork(self._config, each, self.folder) for each in accepted if each]
        return self._branches

    def end_branches(self) -> None:
        """End the forks that run in this process's place, and remove their files."""
        for branch in self._branches:
            branch.hang_up()
            branch.interrupt()
        for replay in list(self.replays):
            replay.kill()
        self._branches = []
        shutil.rmtree(self.folder / scratch.BRANCHES, ignore_errors=True)

    def interrupt(self) -> None:
        """Kill the process that runs a block now, and what it has started. Its checkpoints stay.

        Any thread may call this; whoever waits for the block's result gets a `BlockError`.
        """
        for each in (*self._branches, self._running):
            each.interrupt(self._checkpoints.pids if self._checkpoints else ())
        for replay in list(self.replays):
            replay.kill()

    def close(self) -> None:
        """End the process and all that it has started, and remove its scratch folder."""
        started = self._descendants()  # now, while their parent is there
        self._hang_up()
        self._kill(started)
        if self._checkpoints:
            self._checkpoints.close()
        if self._control:
            self._control.close()
        if self._watcher:
            with self._watcher:  # closes its pipe, and waits
                self._watcher.kill()
        kill_strays(temporary_folder(self.folder))
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """Kill the process and all that it has started. Any thread may call this."""
        self._kill(self._descendants())

    def _kill(self, started: tuple[psutil.Process, ...]) -> None:
        kill_all(started)
        kill_group(self._process)

    def _hang_up(self) -> None:
        """Let the process that runs the blocks exit."""
        self._running.hang_up()
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_TIME)

    def _descendants(self) -> tuple[psutil.Process, ...]:
        """Return the processes that blocks have started."""
        checkpoints = self._checkpoints.pids if self._checkpoints else frozenset[int]()
        return descendants({self._process.pid, self._running.pid, *checkpoints})

    def _describe_death(self) -> str:
        if self._running.is_fork:
            return f"the kernel died{self._running.last_output('')}"
        try:
            end = describe_exit(self._process.wait(EXIT_TIME))
        except subprocess.TimeoutExpired:
            self.kill()
            end = "closed its connection to the build"
        return f"the kernel {end}{self._running.last_output(self._running.end_of(scratch.STDERR))}"
