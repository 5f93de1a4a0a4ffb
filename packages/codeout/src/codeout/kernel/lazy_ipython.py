"""Load IPython when something first uses it: it takes longer to load than all the rest of a kernel.

Libraries expect it to be there: they look for it in `sys.modules`, call the builtin `display`, or test `sys.ps1` for an
interactive session. So all of that exists from the start, and the first use loads IPython.
"""

from __future__ import annotations

import builtins
import sys
import time
import warnings
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType
from typing import Any


class LazyIPython:
    """The module `IPython`, which is loaded at the first access to one of its attributes."""

    def __init__(self, start_shell: Callable[[], None]) -> None:
        """Put a lazy module into `sys.modules`.

        Args:
            start_shell: is called as soon as IPython is loaded, before anything can use it.

        Raises:
            ModuleNotFoundError: IPython is not installed.
        """
        self.is_loaded = False
        self.loading_seconds = 0.0
        self._start_shell = start_shell
        self._module = self._add_lazy_module()
        vars(builtins).update(__IPYTHON__=True, display=self._display)
        vars(sys).update(ps1="In : ", ps2="...: ", ps3="Out: ")

    def load(self) -> None:
        """Load IPython now, unless it is loaded."""
        if not self.is_loaded:
            sys.modules["IPython"] = self._module  # the author's code may have removed it
            self._module.__doc__  # noqa: B018  # any attribute does it

    def _display(self, *objects: Any, **options: Any) -> Any:
        """Load IPython, which sets its own builtin `display`, and call that."""
        self.load()
        from IPython.display import display

        return display(*objects, **options)

    def _add_lazy_module(self) -> ModuleType:
        spec = find_spec("IPython")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError("No module named 'IPython'")
        spec.loader = LazyLoader(_Loader(spec.name, spec.origin, self._load))
        module = sys.modules["IPython"] = module_from_spec(spec)
        spec.loader.exec_module(module)  # makes it lazy
        return module

    def _load(self, execute: Callable[[], None]) -> None:
        """Execute the module and start the shell, without a trace of it in what the author's code can see."""
        start, main = time.perf_counter(), sys.modules["__main__"]
        with warnings.catch_warnings():  # the author may have turned warnings into errors
            warnings.simplefilter("ignore")
            execute()
            self._start_shell()
        sys.modules["__main__"] = main  # a shell puts its own module there
        self.is_loaded = True
        self.loading_seconds += time.perf_counter() - start


class _Loader(SourceFileLoader):
    """Loads IPython's own module by passing what executes it to a function."""

    def __init__(self, name: str, path: str, load: Callable[[Callable[[], None]], None]) -> None:
        super().__init__(name, path)
        self._load = load

    def exec_module(self, module: ModuleType) -> None:
        self._load(lambda: super(_Loader, self).exec_module(module))
