"""Serve the parent's requests until it hangs up: run blocks, load modules ahead of them, and fork forks."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import random
import re
import socket
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

from codeout.kernel import forks, scratch
from codeout.kernel.capture import capture_output
from codeout.kernel.display import Display
from codeout.kernel.exceptions import LineNumbers, format_warning
from codeout.kernel.import_log import ImportLog, Unit
from codeout.kernel.namespace import Namespace
from codeout.kernel.sharing import SharedState

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # writing "5" resets the peak, proc(5)


class Observer(Protocol):
    """Observes what blocks read, in this process."""

    def start(self) -> None:
        """Begin; this lasts until the process ends."""

    def take(self) -> Mapping[str, Any]:
        """Return what was read since the last call, as fields of an event."""


def serve(scratch_folder: str, control: int, observer: Observer | None) -> NoReturn:
    """Run a kernel whose blocks work in the current folder; this ends the process and never returns.

    Args:
        scratch_folder: the absolute path of the folder of its own files.
        control: the descriptor of a socket on which it hands over its forks, or -1.
        observer: observes what blocks read; None if a supervisor does.
    """
    warnings.formatwarning = format_warning
    sys.argv[:] = [""]  # as in an interactive Python: a block has no arguments
    channel = None
    if control >= 0:
        os.set_inheritable(control, False)  # a program that a block starts has no use for it
        channel = forks.Channel(socket.socket(fileno=control))
    Kernel(Path(scratch_folder), channel, observer).run()
    os._exit(0)  # threads that blocks have left running must not keep the process alive


class Kernel:
    """The loop that answers requests, in this process and in those that resume from a checkpoint."""

    def __init__(self, folder: Path, channel: forks.Channel | None, observer: Observer | None) -> None:
        """Take the scratch folder, the channel on which forks are handed over, and what observes, if there are any."""
        self._scratch, self._channel, self._observer = folder, channel, observer
        self._requests, self._log = capture_output(folder)
        self._line_numbers = LineNumbers()
        self._stacks = (folder / scratch.STACKS).open("w")  # for the tracebacks of a block that exceeds its time limit
        self._folder = Path.cwd()  # where blocks run
        self._pid = os.getpid()
        self._display = Display(self._log)
        self._shared = SharedState()
        self._namespace = Namespace(self._display, self._log, self._shared)
        self._imports: ImportLog | None = None
        self._spawned: dict[int, Path] = {}  # kernels of other sessions that are forks of this one, with their folders
        self._random_state = random.getstate()

    def run(self) -> None:
        """Answer requests until the parent hangs up."""
        self._line_numbers.start()
        if self._observer:
            self._observer.start()
        if cache := os.environ.get("CODEOUT_CACHE"):
            hide_folder(cache)
        while line := self._requests.readline():
            request = json.loads(line)
            self._log.buffer.clear()
            self._display.begin_block()
            match request["request"]:
                case "checkpoint":
                    self._checkpoint(request["ticket"])
                case "branch":
                    self._branch(request["ticket"], request["folders"])
                case "load":
                    self._load(request["modules"], [tuple(unit) for unit in request["units"]])
                case "spawn":
                    self._spawn(request["ticket"], Path(request["scratch"]), request["folder"])
                case _:
                    self._run_block(request)

    def _run_block(self, request: Mapping[str, Any]) -> None:
        """Run the block of a request and send what it changed."""
        self._log.send("begin")
        _begin_peak()
        faulthandler.dump_traceback_later(request["timeout"], file=self._stacks)
        seconds = self._time_block(request)
        if os.getpid() != self._pid:  # a process that the block has forked, and that has reached the end of the block
            os._exit(0)  # at once: the thread that `faulthandler` would wait for exists only in its parent
        self._display.end_block()
        faulthandler.cancel_dump_traceback_later()
        self._log.send(
            "done",
            seconds=seconds,
            values=self._namespace.changed_values(),
            obstacle=self._shared.describe(),
            checks_obstacle=self._namespace.checks_obstacle,
            memory=_peak_bytes(),
            gpu_memory=int(cuda.max_memory_allocated()) if (cuda := _cuda()) else 0,
            reads_lines=self._line_numbers.take(),
            **(self._observer.take() if self._observer else {}),
        )

    def _time_block(self, request: Mapping[str, Any]) -> float:
        """Run the block in the folder that its request names; return the seconds that it took, without IPython's."""
        if workdir := request["workdir"]:
            os.chdir(workdir)
        os.environ["COLUMNS"] = str(request["width"] or 80)
        self._line_numbers.files.add(request["file"])
        self._display.keeps_saved_figures = request["keeps_saved_figures"]
        loading = self._display.ipython.loading_seconds
        start = time.perf_counter()
        names = ("code", "file", "line", "checks", "checks_line", "has_magics")
        self._namespace.run(**{name: request[name] for name in names})
        seconds = time.perf_counter() - start - (self._display.ipython.loading_seconds - loading)
        if workdir:
            os.chdir(self._folder)
        return max(seconds, 0.0)

    def _checkpoint(self, ticket: int) -> None:
        """Fork a checkpoint if that is safe. The fork returns from here when the parent resumes from it."""
        channel = self._prepare_fork()
        if channel:
            self._go_on(forks.fork_checkpoint(channel, ticket, self._shared.open_files(), self._hang_up))

    def _branch(self, ticket: int, folders: Sequence[tuple[str, str]]) -> None:
        """Fork processes that work in these folders, if that is safe. Each of them returns from here, too."""
        channel, files = self._prepare_fork(), self._shared.open_files()
        for folder, temporary in folders if channel else ():
            if channel and self._go_on(forks.fork_branch(channel, ticket, files, self._hang_up)):
                self._move(folder, temporary)
                return

    def _load(self, modules: Sequence[str], units: Sequence[Unit]) -> None:
        """Import what sessions will; say what each unit needs, up to the first that cannot be imported."""
        os.environ["COLUMNS"] = "80"  # as for a block that has no width of its own
        self._imports = self._imports or ImportLog()
        self._imports.load_all(modules)
        loaded, is_whole = [], True
        for unit in units:
            try:
                loaded.append(self._imports.load(unit))
            except BaseException:  # whatever modules raise: the session that imports them will show it
                is_whole = False
                break
        touched = self._observer.take() if self._observer else {}
        self._log.send(
            "loaded",
            units=loaded,
            is_whole=is_whole,
            modules=sorted(self._imports.loaded()),
            obstacle=self._shared.describe(),
            **{name: fields for name, fields in touched.items() if name != "observer"},
        )

    def _spawn(self, ticket: int, folder: Path, workdir: str) -> None:
        """Fork the kernel of another session, if that is safe; it returns from here, too, as one that has just started.

        Args:
            ticket: what it is handed over with.
            folder: its scratch folder.
            workdir: where its blocks work.
        """
        channel, files = self._prepare_fork(loads_ipython=False), self._shared.open_files()
        if channel is None:
            return
        self._collect()
        forks.adopt_orphans(adopts=False)  # what a session leaves is no child of the process that it is a fork of
        fork = forks.fork_branch(channel, ticket, files, self._hang_up)
        if isinstance(fork, int):
            self._spawned[fork] = folder
        else:
            os.setsid()
            forks.end_with_parent()
            forks.adopt_orphans()
            self._scratch, self._spawned = folder, {}
            self._stacks.close()
            self._stacks = (folder / scratch.STACKS).open("w")
        if self._go_on(fork):
            self._move(workdir, str(folder / scratch.FILES))
            self._reseed()

    def _collect(self) -> None:
        """Let go of kernels that are forks of this one and have ended, once the build has no more questions."""
        for pid, folder in list(self._spawned.items()):
            if not folder.exists() and os.waitpid(pid, os.WNOHANG)[0]:
                del self._spawned[pid]

    def _reseed(self) -> None:
        """Let what nobody has seeded be different from session to session, as it is from process to process."""
        if random.getstate() == self._random_state:
            random.seed()
        numpy: Any = sys.modules.get("numpy.random")
        # A seed that somebody has set leaves no sequence behind.
        if numpy is not None and getattr(numpy.mtrand._rand._bit_generator, "_seed_seq", None) is not None:  # noqa: SLF001
            numpy.seed()

    def _move(self, folder: str, temporary: str) -> None:
        """Work in a folder from now on, with another one for temporary files."""
        self._folder = Path(folder)
        os.chdir(folder)
        os.environ["TMPDIR"] = os.environ["TEMP"] = temporary
        if tempfile := sys.modules.get("tempfile"):
            vars(tempfile)["tempdir"] = None  # it remembers that of the first kernel

    def _prepare_fork(self, *, loads_ipython: bool = True) -> forks.Channel | None:
        """Tell the parent whether this process can be forked, and have it ready if it can; return its channel then."""
        channel = None if self._shared.describe() else self._channel
        if channel:
            if loads_ipython:
                self._display.ipython.load()  # once, rather than in each fork
            forks.release_threads()
        self._log.send("forked", forked=channel is not None)
        return channel

    def _go_on(self, fork: forks.Channel | int) -> bool:
        """Go on after a fork, whose id or channel is given; return whether this is the fork."""
        if isinstance(fork, int):
            self._shared.forks.add(fork)
            return False
        if fork.connection is None:
            raise AssertionError("only the first kernel has pipes")
        self._pid, self._channel = os.getpid(), fork
        self._requests = fork.connection.makefile("rb")
        self._log.reconnect(os.dup(fork.connection.fileno()), self._scratch)
        self._shared.renew()
        return True

    def _hang_up(self) -> None:
        """Close the connection to the parent, so that it notices when the process that uses it ends."""
        self._log.disconnect()
        self._requests.close()


def _begin_peak() -> None:
    """Forget the peaks so far, where the system can."""
    with contextlib.suppress(OSError):
        RESET.write_text("5")
    if cuda := _cuda():
        cuda.reset_peak_memory_stats()


def _peak_bytes() -> int:
    """Return the peak of the resident memory, in bytes; 0 where it is not known."""
    with contextlib.suppress(OSError):
        if match := re.search(r"^VmHWM:\s*(\d+) kB", STATUS.read_text(), re.MULTILINE):
            return int(match[1]) * 1024
    return 0


def _cuda() -> Any:
    """Return PyTorch's interface to CUDA if a block has used it, else None. Torch is not imported for that."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None


def hide_folder(folder: str) -> None:
    """Leave a folder, an absolute path, out of listings: the build cache is no part of the project, and changes."""
    parent, hidden_name = os.path.split(folder)
    list_names, scan = os.listdir, os.scandir

    def is_parent(path: Any) -> bool:
        name = "" if isinstance(path, int) else os.fsdecode(path or os.curdir)
        return name != "" and os.path.abspath(name) == parent  # noqa: PTH100  # as text

    def listdir(path: Any = ".") -> Any:
        names = list_names(path)
        return [name for name in names if os.fsdecode(name) != hidden_name] if is_parent(path) else names

    def scandir(path: Any = ".") -> Any:
        return _Entries(scan(path), hidden_name) if is_parent(path) else scan(path)

    os.listdir, os.scandir = listdir, scandir


class _Entries:
    """What `os.scandir` returns, without one name."""

    def __init__(self, entries: Any, hidden_name: str) -> None:
        self._entries, self._hidden_name = entries, hidden_name

    def __enter__(self) -> _Entries:
        return self

    __iter__ = __enter__

    def __next__(self) -> Any:
        entry = next(self._entries)
        return entry if os.fsdecode(entry.name) != self._hidden_name else next(self._entries)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the folder."""
        self._entries.close()
