"""The processes of a base: which there are, what each has imported, and which one to fork for a session.

A session gets a fork of a process in which nothing is loaded but what its first block, before it does anything else,
is going to import, by itself or on the way. What an import statement needs is observed: a process that is never a
session's, the learner, runs it and notes which module asks for which. Everything here is for the one who holds the lock
of the base.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

import msgspec
import psutil

from codeout.cache.keys import Environment, File
from codeout.cache.lookup import Lookup
from codeout.config import Config
from codeout.model.inputs import Input, Observation
from codeout.run.checkpoints import MIN_FREE_MEMORY
from codeout.run.process import CannotFork, KernelProcess
from codeout.run.protocol import LoadedEvent, LoadRequest, Unit

MIN_SECONDS = 0.1
"""A process of its own is not worth less time of imports than this."""
MAX_NODES = 24
Identity = tuple[Environment, tuple[File, ...]]
"""The machine, and the prelude."""


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

    def __init__(self, config: Config, lookup: Lookup, root: Node, identity: Identity) -> None:
        """Take the process that has run the prelude, and what that depended on."""
        self._config, self._lookup = config, lookup
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

    def find_node(self, units: Sequence[Unit]) -> Node:
        """Return the process to fork for a session that begins with these imports; make one if that is worth it."""
        self._learn(units)
        needed = self.needed_by(units)
        best = max(_within(self.nodes, needed), key=lambda node: _seconds(needed, node.modules))
        # What this session has in common with others is worth a process of its own, from which both are forked.
        common = max(({*node.modules} & {*needed} for node in self.nodes), key=lambda shared: _seconds(needed, shared))
        for modules in (common, {*needed}):
            if _seconds(needed, modules - best.modules) >= MIN_SECONDS:
                best = self._grow(best, [name for name in needed if name in modules]) or best
        return best

    def _learn(self, units: Sequence[Unit]) -> None:
        """Find out what units need, in the process that has loaded most."""
        for unit in units:
            # What can be imported from a module shows when it is loaded.
            for part in dict.fromkeys([(unit[0], ""), unit]):
                if not self.knows(part):
                    self._learn_one(part, units)

    def _learn_one(self, unit: Unit, units: Sequence[Unit]) -> None:
        """Find out what a unit needs, which is one of those with which a session begins."""
        learner = self._spawn(self.learner) if self.learner in self.nodes else self.learner.process
        loaded, is_silent = (learner and learner.load(LoadRequest(units=(unit,)))) or (None, False)
        if learner is None or loaded is None or not (is_silent and _is_repeatable(loaded)):
            if learner:
                learner.close()
            self.needs[unit] = None
            self.learner = max(self.nodes, key=lambda node: len(node.modules))
            return
        ((self.needs[unit], names),) = loaded.units
        self.names[unit[0]] = self.names.get(unit[0], frozenset()) | names
        is_new = len(self.nodes) < MAX_NODES and all(loaded.modules != node.modules for node in self.nodes)
        is_pure = is_new and loaded.modules <= self.needed_by(units).keys()
        added = self._add(self.learner, learner, loaded) if is_pure else None
        observed = (*self.learner.observed, *loaded.observed)
        self.learner = added or Node(learner, loaded.modules, observed, ())

    def _grow(self, node: Node, modules: Sequence[str]) -> Node | None:
        """Add a process that has imported more than another one; None if that cannot be done."""
        if len(self.nodes) >= MAX_NODES or psutil.virtual_memory().available < MIN_FREE_MEMORY:
            return None
        process = self._spawn(node)
        loaded, is_silent = (process and process.load(LoadRequest(modules=tuple(modules)))) or (None, False)
        grown = None
        if process and loaded and is_silent and _is_repeatable(loaded) and loaded.modules <= {*modules}:
            grown = self._add(node, process, loaded)
        if process and not grown:
            process.close()
        return grown

    def _add(self, node: Node, process: KernelProcess, loaded: LoadedEvent) -> Node | None:
        """Add a process that has gone on from where another one was; None if it cannot be forked for a session."""
        observed = (*node.observed, *loaded.observed)
        inputs, changed = self._lookup.inputs.resolve(observed)
        if changed or process.has_files:
            return None
        self.nodes.append(Node(process, loaded.modules, observed, inputs))
        return self.nodes[-1]

    def _spawn(self, node: Node) -> KernelProcess | None:
        try:
            return KernelProcess(self._config, origin=node.process, is_base=True)
        except CannotFork:
            return None


def _is_repeatable(loaded: LoadedEvent) -> bool:
    """Return whether what was imported is the same in a fork as if the fork had imported it."""
    return loaded.is_whole and not (loaded.obstacle or loaded.written or loaded.used_network)


def _within(nodes: Sequence[Node], needed: Container[str]) -> Iterator[Node]:
    """Yield the nodes that have loaded nothing but what is needed."""
    return (node for node in nodes if all(name in needed for name in node.modules))


def _seconds(needed: Mapping[str, float], modules: Iterable[str]) -> float:
    """Return how long some of the needed modules take to load."""
    return sum(needed.get(name, 0.0) for name in modules)
