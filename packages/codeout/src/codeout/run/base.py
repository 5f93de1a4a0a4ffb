"""The base of a site: processes that have run the prelude and imported what sessions will, to fork kernels from.

A session gets a fork of a process in which nothing is loaded but what its first block, before it does anything else,
is going to import, by itself or on the way. So it cannot tell that fork from a kernel that has started by itself. What
an import statement needs is observed: a process that is never a session's, the learner, runs it and notes which module
asks for which. All this is a hint: whatever cannot be imported ahead or forked is left to the sessions.
"""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from threading import Lock

import msgspec
import psutil

from codeout.cache import environment
from codeout.cache.keys import Environment, File, KeyInputs
from codeout.cache.lookup import Lookup
from codeout.cache.timings import BaseSize, save_base_size
from codeout.config import Config
from codeout.errors import BlockError
from codeout.model.blocks import Block, Place
from codeout.model.inputs import Input, Observation
from codeout.model.outputs import Error
from codeout.run.checkpoints import MIN_FREE_MEMORY
from codeout.run.process import CannotFork, KernelProcess, ProcessGroup
from codeout.run.protocol import LoadedEvent, LoadRequest, Unit

MIN_SECONDS = 0.1
"""A process of its own is not worth less time of imports than this."""
MAX_NODES = 24
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


class Node(msgspec.Struct, frozen=True, eq=False):
    """A process to fork."""

    process: KernelProcess
    modules: frozenset[str]
    """What it has imported ahead."""
    observed: tuple[Observation, ...]
    inputs: tuple[Input, ...]
    """What it has read, as it was then."""


class Family:
    """The processes that one prelude has begun, and the kernels that are forks of them."""

    def __init__(self, root: Node, identity: tuple[Environment, tuple[File, ...]]) -> None:
        self.identity = identity
        self.nodes = [root]
        self.learner = root
        """Has loaded most; it is a node only as long as that is what some session imports."""
        self.uses = 0
        """How many kernels are forks of its processes, or will be."""
        self.has_forked = False
        """Whether a session has got a fork."""
        self.needs: dict[Unit, dict[str, float] | None] = {}
        """What a unit needs, with the seconds of each module; None if it cannot be imported ahead."""
        self.names: dict[str, frozenset[str]] = {}
        """By module, what can be imported from it without any other."""
        self.checked = time.monotonic()
        """When it was last known that nothing of it has changed."""

    def needed_by(self, units: Iterable[Unit]) -> dict[str, float]:
        """Return what units need, up to the first that cannot be imported ahead, or of which nothing is known yet."""
        needed: dict[str, float] = {}
        for module, name in units:
            unit = (module, "") if name in self.names.get(module, ()) else (module, name)
            needs = self.needs.get(unit)
            needed |= self.needs.get((module, "")) or {} if needs is None else needs
            if needs is None:  # what follows it would be imported too early
                break
        return needed

    def knows(self, unit: Unit) -> bool:
        """Return whether it is known what a unit needs."""
        return unit in self.needs or unit[1] in self.names.get(unit[0], ())

    def close(self) -> None:
        """End all processes."""
        for node in reversed(list(dict.fromkeys([*self.nodes, self.learner]))):
            node.process.close()


class Base:
    """Starts the kernels of a site. Any thread may use it; `_lock` is held while a process is made ready and forked."""

    def __init__(self, config: Config, lookup: Lookup) -> None:
        """Start nothing yet."""
        self._config, self._lookup = config, lookup
        self._lock = Lock()
        self._family: Family | None = None
        self._broken: tuple[Environment, tuple[File, ...]] | None = None
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
            node = self._find_node(family, _leading_imports(first.executable_code) if is_usual else [])
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

    def _found(self, first: Block, identity: tuple[Environment, tuple[File, ...]]) -> Family | None:
        process = self._root = KernelProcess(self._config, is_base=True)
        if self._is_closed:
            process.kill()
        try:
            started = self._run_prelude(process, first, lambda _: None)
            inputs, changed = self._lookup.inputs.resolve(started.observed)
            has_written = started.written or process.has_files  # which each session needs for itself
            if not changed and not has_written:
                return Family(Node(process, frozenset(), started.observed, inputs), identity)
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

    def _find_node(self, family: Family, units: Sequence[Unit]) -> Node:
        """Return the process to fork for a session that begins with these imports; make one if that is worth it."""
        self._learn(family, units)
        needed = family.needed_by(units)
        best = max(_within(family.nodes, needed), key=lambda node: _seconds(needed, node.modules))
        # What this session has in common with others is worth a process of its own, from which both are forked.
        common = max(
            ({*node.modules} & {*needed} for node in family.nodes), key=lambda shared: _seconds(needed, shared)
        )
        for modules in (common, {*needed}):
            if _seconds(needed, modules - best.modules) >= MIN_SECONDS:
                best = self._grow(family, best, [name for name in needed if name in modules]) or best
        return best

    def _learn(self, family: Family, units: Sequence[Unit]) -> None:
        """Find out what units need, in the process that has loaded most."""
        for unit in units:
            # What can be imported from a module shows when it is loaded.
            for part in dict.fromkeys([(unit[0], ""), unit]):
                if not family.knows(part):
                    self._learn_one(family, part, units)

    def _learn_one(self, family: Family, unit: Unit, units: Sequence[Unit]) -> None:
        """Find out what a unit needs, which is one of those with which a session begins."""
        learner = self._spawn(family.learner) if family.learner in family.nodes else family.learner.process
        loaded, is_silent = (learner and learner.load(LoadRequest(units=(unit,)))) or (None, False)
        if learner is None or loaded is None or not (is_silent and _is_repeatable(loaded)):
            if learner:
                learner.close()
            family.needs[unit] = None
            family.learner = max(family.nodes, key=lambda node: len(node.modules))
            return
        ((family.needs[unit], names),) = loaded.units
        family.names[unit[0]] = family.names.get(unit[0], frozenset()) | names
        is_new = len(family.nodes) < MAX_NODES and all(loaded.modules != node.modules for node in family.nodes)
        is_pure = is_new and loaded.modules <= family.needed_by(units).keys()
        added = self._add(family, family.learner, learner, loaded) if is_pure else None
        observed = (*family.learner.observed, *loaded.observed)
        family.learner = added or Node(learner, loaded.modules, observed, ())

    def _grow(self, family: Family, node: Node, modules: Sequence[str]) -> Node | None:
        """Add a process that has imported more than another one; None if that cannot be done."""
        if len(family.nodes) >= MAX_NODES or psutil.virtual_memory().available < MIN_FREE_MEMORY:
            return None
        process = self._spawn(node)
        loaded, is_silent = (process and process.load(LoadRequest(modules=tuple(modules)))) or (None, False)
        grown = None
        if process and loaded and is_silent and _is_repeatable(loaded) and loaded.modules <= {*modules}:
            grown = self._add(family, node, process, loaded)
        if process and not grown:
            process.close()
        return grown

    def _add(self, family: Family, node: Node, process: KernelProcess, loaded: LoadedEvent) -> Node | None:
        """Add a process that has gone on from where another one was; None if it cannot be forked for a session."""
        observed = (*node.observed, *loaded.observed)
        inputs, changed = self._lookup.inputs.resolve(observed)
        if changed or process.has_files:
            return None
        family.nodes.append(Node(process, loaded.modules, observed, inputs))
        return family.nodes[-1]

    def _spawn(self, node: Node) -> KernelProcess | None:
        try:
            return KernelProcess(self._config, origin=node.process, is_base=True)
        except CannotFork:
            return None


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


def _is_repeatable(loaded: LoadedEvent) -> bool:
    """Return whether what was imported is the same in a fork as if the fork had imported it."""
    return loaded.is_whole and not (loaded.obstacle or loaded.written or loaded.used_network)


def _within(nodes: Sequence[Node], needed: Container[str]) -> Iterator[Node]:
    """Yield the nodes that have loaded nothing but what is needed."""
    return (node for node in nodes if all(name in needed for name in node.modules))


def _seconds(needed: Mapping[str, float], modules: Iterable[str]) -> float:
    """Return how long some of the needed modules take to load."""
    return sum(needed.get(name, 0.0) for name in modules)
