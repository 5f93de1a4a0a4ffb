"""The base of a site: processes that have run the prelude and imported what sessions will, to fork kernels from.

This starts the kernels of sessions, and begins and ends what they are forks of; `run/nodes.py` is about imports. A
session cannot tell a fork from a kernel that has started by itself, and whatever cannot be forked does that.
"""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Callable
from threading import Lock

import msgspec

from codeout.cache import environment
from codeout.cache.keys import KeyInputs
from codeout.cache.lookup import Lookup
from codeout.cache.timings import BaseSize, save_base_size
from codeout.config import Config
from codeout.errors import BlockError
from codeout.model.blocks import Block, Place
from codeout.model.inputs import Observation
from codeout.model.outputs import Error
from codeout.run.nodes import Family, Identity, Node
from codeout.run.process import CannotFork, KernelProcess, ProcessGroup
from codeout.run.protocol import Unit

MAX_AGE = 1.0
"""Seconds for which a build takes for granted that no package was changed."""
USUAL_WIDTH = 80
"""The columns of a terminal for which modules are imported ahead."""
MIN_SESSIONS = 2
"""For so many a base pays, unless an author edits."""


class Started(msgspec.Struct, frozen=True):
    """A kernel in which the prelude has run."""

    process: KernelProcess
    observed: tuple[Observation, ...] = ()
    """What the prelude has read, and the imports that the process has made ahead."""
    written: tuple[str, ...] = ()
    """What the prelude has written."""


class Base:
    """Starts the kernels of a site. Any thread may use it; `_lock` is held while a process is made ready and forked."""

    def __init__(self, config: Config, lookup: Lookup) -> None:
        """Start nothing yet."""
        self._config, self._lookup = config, lookup
        self._lock = Lock()
        self._family: Family | None = None
        self._broken: Identity | None = None
        self._expected = 0
        self._root: KernelProcess | None = None  # from which all others descend
        self._is_closed = False

    def expect(self, sessions: int) -> None:
        """Note that so many more sessions are going to run."""
        self._expected += sessions

    def start(
        self,
        first: Block,
        inputs: KeyInputs,
        on_progress: Callable[[str], None],
        group: ProcessGroup | None = None,
        *,
        by_itself: bool = False,
    ) -> Started:
        """Start a kernel for a session, and run the prelude.

        Args:
            first: its first block.
            inputs: those of that block.
            on_progress: as for `KernelProcess.run`.
            group: the processes to which the kernel belongs.
            by_itself: whether it must be no fork.

        Raises:
            BlockError: the prelude failed.
            PageError: the folder of the settings in which blocks work does not exist.
        """
        is_on_gpu = first.matches(self._config.gpu) and environment.detect_device() != "CPU"
        is_worth_it = self._config.checkpoints or self._expected >= MIN_SESSIONS
        if self._config.base and is_worth_it and not by_itself and not is_on_gpu and sys.platform == "linux":
            if started := self._fork(first, inputs, group):
                return started
        process = KernelProcess(self._config, group)
        try:
            return self._run_prelude(process, first, on_progress)
        except BaseException:
            process.close()
            raise

    def end(self) -> None:
        """Kill all processes, and let none start any more."""
        self._note_size()
        # In this order, while `_found` first names the process and then looks whether it is wanted.
        self._is_closed = True
        if self._root:
            self._root.kill()

    def close(self) -> None:
        """End all processes, those that kernels are forks of with these; others start when they are needed."""
        self._note_size()
        with self._lock:
            self._expected = 0
            self._retire()

    def _note_size(self) -> None:
        """Write down how much memory the processes take, for whoever asks whether they are worth it."""
        if (family := self._family) and not self._is_closed:
            size = BaseSize(len(family.nodes), sum(node.process.memory() for node in family.nodes))
            save_base_size(self._config, size)

    def _run_prelude(self, process: KernelProcess, first: Block, on_progress: Callable[[str], None]) -> Started:
        """Run the script that runs before a session's first block, if there is one.

        Raises:
            BlockError: it failed.
        """
        path = self._config.prelude
        if not path:
            return Started(process)
        code = self._config.path(path).read_text(encoding="utf8")
        prelude = Block(place=first.place, session=first.session, code=code, origin=Place(path, 1))
        result = process.run(prelude, on_progress)
        if error := next((output for output in result.outputs if isinstance(output, Error)), None):
            place = f"{path}:{error.line or 1}"
            raise BlockError(f"{place}: {error.type}: {error.message}\n{error.traceback}")
        return Started(process, result.report.observed, result.report.written)

    def _fork(self, first: Block, inputs: KeyInputs, group: ProcessGroup | None) -> Started | None:
        """Return a fork of the process that has imported most of what a session will; None if there can be none."""
        with self._lock:
            family = self._current_family(first, inputs)
            if family is None:
                return None
            # Modules may look at the folder and the width when they load, so those must be as they are here.
            is_usual = not first.workdir and first.width in (0, USUAL_WIDTH)
            node = family.find_node(_leading_imports(first.executable_code) if is_usual else [])
            family.uses += 1  # so that nobody closes its processes
        try:
            process = KernelProcess(self._config, group, node.process)
        except CannotFork:
            with self._lock:
                if not family.has_forked:  # else another attempt is worth it
                    self._broken = family.identity
                self._retire()
            self._forget(family)
            return None
        except BaseException:
            self._forget(family)
            raise
        family.has_forked = True
        process.on_close = lambda: self._forget(family)
        return Started(process, node.observed)

    def _forget(self, family: Family) -> None:
        """Note that a kernel has been closed."""
        with self._lock:
            family.uses -= 1
            self._close_unused(family)

    # ------------------------------------------------------------------------ inside: for the one who holds the lock

    def _current_family(self, first: Block, inputs: KeyInputs) -> Family | None:
        """Return the processes for this prelude and machine; None if they cannot be had."""
        identity = inputs.environment, inputs.files[:1] if self._config.prelude else ()
        family = self._family
        if family and (family.identity != identity or self._is_stale(family)):
            self._retire()
            family = None
        if family is None and identity != self._broken and not self._is_closed:
            family = self._family = self._found(first, identity)
            if family is None:
                self._broken = identity
        return family

    def _is_stale(self, family: Family) -> bool:
        """Return whether something that was imported has changed since."""
        # While an author edits, that may be at any moment.
        if not self._config.checkpoints and time.monotonic() - family.checked < MAX_AGE:
            return False
        now = self._lookup.inputs.now()
        family.checked = time.monotonic()
        return not all(now.are_unchanged(node.inputs) for node in family.nodes)

    def _found(self, first: Block, identity: Identity) -> Family | None:
        process = self._root = KernelProcess(self._config, is_base=True)
        if self._is_closed:
            process.kill()
        try:
            started = self._run_prelude(process, first, lambda _: None)
            inputs, changed = self._lookup.inputs.resolve(started.observed)
            has_written = started.written or process.has_files  # which each session needs for itself
            if not changed and not has_written:
                return Family(
                    self._config, self._lookup, Node(process, frozenset(), started.observed, inputs), identity
                )
        except BlockError:  # the session will say so
            pass
        process.close()
        return None

    def _retire(self) -> None:
        """Let no more kernels be forks of the processes that there are."""
        family, self._family = self._family, None
        if family:
            self._close_unused(family)

    def _close_unused(self, family: Family) -> None:
        """End processes of which no more kernels will be forks, once there are none."""
        if family is not self._family and not family.uses:
            family.close()


def _leading_imports(code: str) -> list[Unit]:
    """Return what code imports before it does anything else, without modules that take no time to load."""
    try:
        statements = ast.parse(code).body
    except (SyntaxError, ValueError):
        return []
    units: list[Unit] = []
    for statement in statements:
        match statement:
            case ast.Expr(ast.Constant()) | ast.ImportFrom(module="__future__"):
                continue
            case ast.Import(names):
                units += [(each.name, "") for each in names]
            case ast.ImportFrom(str(module), names, 0):
                units += [(module, each.name) for each in names]
            case _:
                break
    return [unit for unit in units if unit[0].partition(".")[0] not in sys.stdlib_module_names]
