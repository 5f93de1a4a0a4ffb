"""IPython in a kernel: loaded when something first uses it, with a shell that sends what is displayed to the parent.

It takes longer to load than all the rest of a kernel, and libraries expect it to be there: they look for it in
`sys.modules`, call the builtin `display`, or test `sys.ps1` for an interactive session. So all of that exists from the
start.
"""

from __future__ import annotations

import builtins
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.machinery import SourceFileLoader
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType
from typing import Any


class LazyIPython(SourceFileLoader):
    """Loads the module `IPython` at the first access to one of its attributes, and starts its shell then."""

    def __init__(self, publish: Callable[..., None], clear: Callable[..., None]) -> None:
        """Put a lazy module into `sys.modules`. What is displayed will be passed to `publish`, as `Display` has it.

        `clear` discards what the block has shown so far, now or (given True) once it shows something else.

        Raises:
            ModuleNotFoundError: IPython is not installed.
        """
        spec = find_spec("IPython")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError("No module named 'IPython'")
        super().__init__(spec.name, spec.origin)
        self.is_loaded = False
        self.loading_seconds = 0.0
        self._shell: Any = None
        self._publish, self._clear = publish, clear
        spec.loader = LazyLoader(self)
        self._module = sys.modules["IPython"] = module_from_spec(spec)
        spec.loader.exec_module(self._module)  # makes it lazy
        vars(builtins).update(__IPYTHON__=True, display=self._display)
        vars(sys).update(ps1="In : ", ps2="...: ", ps3="Out: ")

    def load(self) -> Any:
        """Load IPython now, unless it is loaded; return its shell."""
        if not self.is_loaded:
            sys.modules["IPython"] = self._module  # the author's code may have removed it
            self._module.__doc__  # noqa: B018  # any attribute does it
        return self._shell

    def _display(self, *objects: Any, **options: Any) -> Any:
        """Load IPython, which sets its own builtin `display`, and call that."""
        self.load()
        from IPython.display import display

        return display(*objects, **options)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module and start the shell, without a trace of it in what the author's code can see."""
        start, main = time.perf_counter(), sys.modules["__main__"]
        with warnings.catch_warnings():  # the author may have turned warnings into errors
            warnings.simplefilter("ignore")
            super().exec_module(module)
            self._shell = _start_shell(self._publish, self._clear)
        sys.modules["__main__"] = main  # a shell puts its own module there
        self.is_loaded = True
        self.loading_seconds += time.perf_counter() - start


def _start_shell(publish: Callable[..., None], clear: Callable[..., None]) -> Any:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    settings = Config()
    settings.HistoryManager.enabled = False
    shell: Any = InteractiveShell.instance(config=settings)
    shell.display_pub.publish = partial(_publish, publish)
    shell.display_pub.clear_output = clear
    shell.showtraceback = _reraise
    shell.system = shell.system_raw  # in the block's own terminal, which is captured
    shell.magics_manager.register_function(lambda line: None, "line", "matplotlib")  # figures are shown as they are
    for mime, extension in {"image/svg+xml": "svg", "image/png": "png"}.items():
        formatter = shell.display_formatter.formatters[mime]
        formatter.for_type_by_name("matplotlib.figure", "Figure", partial(_draw_figure, extension))
    return shell


def _publish(send: Callable[..., None], data: Any, metadata: Any = None, source: Any = None, **options: Any) -> None:
    """Send what is displayed, with what IPython calls its metadata: alt text, name and width."""
    parts = [part for part in (metadata or {}).values() if isinstance(part, dict)]
    alt = next((part["alt"] for part in parts if part.get("alt") is not None), None)
    name = (options.get("transient") or {}).get("display_id")
    width = next((part["width"] for part in parts if isinstance(part.get("width"), int)), 0)
    send(data, alt, name, max(width, 0), update=bool(options.get("update")))


def _reraise(exception: Any = None, *_: Any, **__: Any) -> None:
    """Raise what an object's own representation raised, where IPython would print it."""
    raise exception[1] if exception else sys.exc_info()[1] or AssertionError("no exception to show")


def _draw_figure(extension: str, figure: Any) -> tuple[str | bytes, dict[str, str]] | None:
    from codeout.kernel.matplotlib_backend import draw

    return draw(extension, figure)
