"""Note which modules ask for which others while they load, those included that are loaded already.

So a base knows what a session would load that imports something: that, and all that is asked for on the way.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import sys
import time
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
from importlib.util import resolve_name
from types import ModuleType
from typing import Any

Unit = tuple[str, str]
"""What an import statement names: a module, and a name in it, `*` or nothing."""


class ImportLog:
    """What the modules of this process have asked for since it began to watch, and how long each took to load."""

    def __init__(self) -> None:
        self._asked: dict[str, set[str]] = {}  # in the order in which they began to load
        self._loading = [""]
        self._seconds: dict[str, float] = {}
        self._last_time = 0.0
        self._own = {*sys.modules}
        self._seen = {*sys.modules}

    def load(self, unit: Unit) -> tuple[dict[str, float], list[str]]:
        """Import a unit.

        Returns:
            The modules that it needs, but for those that were there when this began, in the order to load them, with
            the seconds of each alone; and what can be imported from its module without any other.

        Raises:
            Exception: whatever the modules raise.
        """
        module, name = unit
        label = ":".join(unit)
        with self._watching(label):
            importlib.import_module(module)
            if name:
                exec(f"from {module} import {name}", {})
        needed = self._closure(label)
        names = (
            [] if name else [each for each in vars(sys.modules[module]) if self._is_within(f"{module}.{each}", needed)]
        )
        return {each: self._seconds.get(each, 0.0) for each in needed}, names

    def load_all(self, modules: Iterable[str]) -> None:
        """Import modules, but for those that cannot be imported by their names alone."""
        with self._watching(""):
            for name in modules:
                if name not in sys.modules:
                    with contextlib.suppress(ImportError):
                        importlib.import_module(name)

    def loaded(self) -> set[str]:
        """Return the modules that were loaded since this began."""
        return {*sys.modules} - self._own

    def _is_within(self, name: str, needed: Container[str]) -> bool:
        """Return whether an attribute is there when its module is, and no other module that only happens to be."""
        return name not in sys.modules or name in self._own or name in needed

    def _closure(self, label: str) -> list[str]:
        needed, left = set[str](), [*self._asked[label]]
        while left:
            name = left.pop()
            if name in needed or name in self._own:
                continue
            needed.add(name)
            left += [*_parents(name), *self._asked.get(name, ())]
        order = {name: number for number, name in enumerate(sys.modules)}
        started = {name: number for number, name in enumerate(self._asked)}
        # Modules without code of their own are loaded by whatever asks for them.
        return sorted(needed & order.keys(), key=lambda name: (started.get(name, len(started)), order[name]))

    @contextmanager
    def _watching(self, label: str) -> Iterator[None]:
        """Note what is imported meanwhile, on behalf of a label or of the module that loads."""
        own_import, own_import_module = builtins.__import__, importlib.import_module

        def import_(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:  # noqa: A002
            module = own_import(name, globals, locals, fromlist, level)
            self._note(_absolute(name, globals, level), fromlist or ())
            return module

        def import_module(name: str, package: str | None = None) -> ModuleType:
            module = own_import_module(name, package)
            self._note(resolve_name(name, package), ())
            return module

        self._asked[label] = set()
        self._loading, self._last_time = [label], time.perf_counter()
        builtins.__import__, importlib.import_module = import_, import_module
        loaders: list[Any] = [SourceFileLoader, ExtensionFileLoader]
        inherited = [loader for loader in loaders if "exec_module" not in vars(loader)]
        own_methods = [loader.exec_module for loader in loaders]
        for loader, method in zip(loaders, own_methods, strict=True):
            loader.exec_module = self._noting(method)
        try:
            yield
        finally:
            self._count()
            builtins.__import__, importlib.import_module = own_import, own_import_module
            for loader, method in zip(loaders, own_methods, strict=True):
                loader.exec_module = method
            for loader in inherited:
                del loader.exec_module

    def _noting(self, method: Any) -> Any:
        def exec_module(loader: Any, module: ModuleType) -> None:
            name = module.__spec__.name if module.__spec__ else module.__name__
            self._count()
            self._loading.append(name)
            self._asked.setdefault(name, set())
            try:
                method(loader, module)
            finally:
                self._count()
                self._loading.pop()

        return exec_module

    def _count(self) -> None:
        """Add what is new since the last call to the module that loads: time, and modules, by whatever means."""
        now, name = time.perf_counter(), self._loading[-1]
        self._seconds[name] = self._seconds.get(name, 0.0) + now - self._last_time
        self._last_time = now
        for newest in reversed(sys.modules):
            if newest in self._seen:
                break
            self._seen.add(newest)
            self._asked[name].add(newest)

    def _note(self, name: str, names: Iterable[str]) -> None:
        asked = self._asked[self._loading[-1]]
        asked.add(name)
        if "*" in names:
            names = getattr(sys.modules.get(name), "__all__", ())
        asked.update(below for each in names if (below := f"{name}.{each}") in sys.modules)


def _absolute(name: str, names: Any, level: int) -> str:
    """Return the absolute name that an import statement means, given the names of the module in which it is."""
    if not level:
        return name
    package = names.get("__package__") or names.get("__name__", "").rpartition(".")[0]
    above = package.rsplit(".", level - 1)[0]
    return f"{above}.{name}" if name else above


def _parents(name: str) -> Iterator[str]:
    while name := name.rpartition(".")[0]:
        yield name
