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
from importlib.machinery import SourceFileLoader
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


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


class Publish(Protocol):
    """Sends a MIME bundle to the parent."""

    def __call__(
        self, data: dict[str, Any], alt: str | None, display_id: str | None, *, width: int, update: bool
    ) -> None:
        """Send the bundle with its alt text, and the width in pixels that was asked for, 0 if none was.

        `update` replaces the bundle with the same `display_id`.
        """


def start_shell(publish: Publish, clear: Callable[[bool], None]) -> InteractiveShell:
    """Start the shell of this process.

    Args:
        publish: sends what is displayed.
        clear: discards what the block has shown so far, now or once it shows something else.
    """
    # On use, like all of IPython: it takes longer to load than all the rest of a kernel.
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    settings = Config()
    settings.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=settings)
    shell.display_pub = _publisher_class()(publish, clear, parent=shell)
    shell.showtraceback = _reraise  # type: ignore[method-assign, assignment]
    shell.system = shell.system_raw  # type: ignore[method-assign]  # in the block's own terminal, which is captured
    shell.magics_manager.register_function(lambda line: None, "line", "matplotlib")  # figures are shown as they are
    formatter = shell.display_formatter
    if formatter is None:
        raise AssertionError("a new shell has a display formatter")
    for mime, draw in {"image/svg+xml": _figure_svg, "image/png": _figure_png}.items():
        formatter.formatters[mime].for_type_by_name("matplotlib.figure", "Figure", draw)
    return shell


def _publisher_class() -> Any:
    """Return the class of what sends to the parent what is displayed; IPython wants one of its own."""
    from IPython.core.displaypub import DisplayPublisher

    class _Publisher(DisplayPublisher):
        def __init__(self, publish: Publish, clear: Callable[[bool], None], **options: Any) -> None:
            self._publish, self._clear = publish, clear
            super().__init__(**options)  # type: ignore[no-untyped-call]

        def publish(
            self,
            data: Any,
            metadata: Any = None,
            source: Any = None,
            *,
            transient: Any = None,
            update: Any = False,
            **_: Any,
        ) -> None:
            parts = [part for part in (metadata or {}).values() if isinstance(part, dict)]
            alt = next((part["alt"] for part in parts if part.get("alt") is not None), None)
            display_id = (transient or {}).get("display_id")
            width = next((part["width"] for part in parts if isinstance(part.get("width"), int)), 0)
            self._publish(data, _to_str(alt), _to_str(display_id), width=max(width, 0), update=bool(update))

        def clear_output(self, wait: bool = False) -> None:
            self._clear(wait)

    return _Publisher


def _reraise(exception: Any = None, *_: Any, **__: Any) -> None:
    """Raise what an object's own representation raised, where IPython would print it."""
    raise exception[1] if exception else sys.exc_info()[1] or AssertionError("no exception to show")


def _to_str(value: object) -> str | None:
    return None if value is None else str(value)


def _figure_svg(figure: Any) -> tuple[str, dict[str, str]] | None:
    from codeout.kernel import matplotlib_backend

    return matplotlib_backend.svg(figure)


def _figure_png(figure: Any) -> tuple[bytes, dict[str, str]] | None:
    from codeout.kernel import matplotlib_backend

    return matplotlib_backend.png(figure)
