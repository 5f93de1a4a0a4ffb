"""The child process of a session: runs blocks one after the other in one namespace.

It is started as `python -m codeout.worker PARENT FOLDER...`, reads one JSON request a line from its standard input and
writes events, one a line, to its standard output. Before any block runs, `capture` moves both out of reach.
"""

from __future__ import annotations

import ast
import base64
import ctypes
import faulthandler
import json
import linecache
import os
import signal
import sys
import sysconfig
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from codeout.capture import Log, capture

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class Session:
    """A namespace, and the IPython shell that knows how objects show themselves."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._module = ModuleType("__main__")
        self._shell: InteractiveShell | None = None
        self._show: Callable[[object], None]

    def run(self, code: str, file: str, line: int) -> None:
        """Run a block; its outputs and its exception, if it raises one, go to the log.

        Args:
            code: the block.
            file: what tracebacks call the file it stands in.
            line: the line of that file where it starts, from 1.
        """
        if self._shell is None:
            self._shell, self._show = _shell(self._module, self._log)
        padded = "\n" * (line - 1) + code
        remembered = linecache.cache.get(file)
        known = remembered[2] if remembered and len(remembered) == 4 else []
        own = padded.splitlines(keepends=True)
        lines = known[: line - 1] + own[len(known[: line - 1]) :] + known[len(own) :]
        linecache.cache[file] = (len(padded), None, lines, file)
        try:
            value = _execute(padded, file, vars(self._module))
            if value is not None and not _is_artist(value):
                self._show(value)
        except BaseException as exception:  # the outermost frame of the author's code: all of it is reported
            self._show_figures()
            self._log.send(**_described(exception, file))
        else:
            self._show_figures()

    def _show_figures(self) -> None:
        if "matplotlib.pyplot" in sys.modules:
            from codeout.backend import FigureManager

            FigureManager.pyplot_show()


def _execute(code: str, file: str, namespace: dict[str, Any]) -> object:
    """Run code; return the value of its last expression, None if it ends otherwise or with a semicolon."""
    tree = ast.parse(code, file)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr) or code.rstrip().endswith(";"):
        exec(compile(tree, file, "exec"), namespace)
        return None
    tree.body.pop()
    exec(compile(tree, file, "exec"), namespace)
    return eval(compile(ast.Expression(last.value), file, "eval"), namespace)


def _is_artist(value: object) -> bool:
    """Return whether a value is what plotting functions return and nobody wants to read."""
    items = value if isinstance(value, list | tuple) else [value]
    return bool(items) and all(
        type(item).__module__.startswith("matplotlib.") and type(item).__name__ != "Figure" for item in items
    )


def _shell(module: ModuleType, log: Log) -> tuple[InteractiveShell, Callable[[object], None]]:
    """Return IPython's shell around a namespace, and what displays a value as a notebook would."""
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Publisher(DisplayPublisher):
        """Sends what is displayed to the parent."""

        def publish(self, data: Any, metadata: Any = None, *_: Any, **__: Any) -> None:
            alt = next((told["alt"] for told in (metadata or {}).values() if "alt" in told), None)
            bundle = {mime: _text(part) for mime, part in data.items() if isinstance(part, str | bytes)}
            log.send(display=bundle, alt=alt)

        def clear_output(self, wait: bool = False) -> None:
            log.send(clear=True)

    settings = Config()
    settings.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=settings, user_module=module, user_ns=vars(module))
    shell.display_pub = Publisher(parent=shell)  # type: ignore[no-untyped-call]
    sys.modules["__main__"] = module
    vars(module)["__name__"] = "__main__"
    formatter = shell.display_formatter
    if formatter is None:
        raise AssertionError("a shell has a display formatter once it is made")
    for mime, picture in _FIGURES.items():
        formatter.formatters[mime].for_type_by_name("matplotlib.figure", "Figure", picture)

    def show(value: object) -> None:
        shell.display_pub.publish(*formatter.format(value))

    return shell, show


def _figure_svg(figure: Any) -> tuple[str, dict[str, str]] | None:
    from codeout import backend

    return backend.svg(figure)


def _figure_png(figure: Any) -> tuple[bytes, dict[str, str]] | None:
    from codeout import backend

    return backend.png(figure)


_FIGURES = {"image/svg+xml": _figure_svg, "image/png": _figure_png}


def _text(part: str | bytes) -> str:
    return base64.b64encode(part).decode() if isinstance(part, bytes) else part


def _described(exception: BaseException, file: str) -> dict[str, Any]:
    """Return an exception as an event; its traceback begins at the author's line."""
    told = traceback.TracebackException.from_exception(exception, compact=True)
    own = [frame for frame in told.stack if frame.filename != __file__]
    told.stack[:] = own
    lines = [frame.lineno for frame in own if frame.filename == file]
    line = exception.lineno if isinstance(exception, SyntaxError) and exception.filename == file else None
    text = "".join(told.format())
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"), str(Path.cwd())}:
        text = text.replace(folder + os.sep, "")
    return {
        "error": type(exception).__name__,
        "message": str(exception),
        "traceback": text,
        "line": line or (lines[-1] if lines else None),
    }


class _Fresh(SourceFileLoader):
    """Loads an author's module from its source: an edit that keeps size and second would meet its old bytecode."""

    def path_stats(self, path: Any) -> Mapping[str, Any]:
        """Say that there is nothing to compare bytecode with: it is neither read nor written then."""
        raise OSError(f"no bytecode for {path}")


def _import_from(folders: Sequence[str]) -> None:
    """Let blocks import from folders, ahead of everything but the standard library's frozen modules."""

    def finder(path: str) -> FileFinder:
        if "site-packages" in path or not any(Path(path).is_relative_to(folder) for folder in folders):
            raise ImportError(path)
        return FileFinder(path, (_Fresh, SOURCE_SUFFIXES), (ExtensionFileLoader, EXTENSION_SUFFIXES))

    sys.path[:] = [*folders, *(path for path in sys.path if path not in ("", str(Path.cwd())))]
    sys.path_hooks.insert(0, finder)


def _die_with(parent: int) -> None:
    """Have the kernel end this process when its parent is gone, however it went (Linux: prctl 1 is PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:  # it went before the kernel was asked
            os._exit(1)


def main() -> None:
    """Serve requests until the parent hangs up.

    The arguments are the parent's process id, and the folders that blocks import from.
    """
    _die_with(int(sys.argv[1]))
    folder = Path.cwd()
    _import_from(sys.argv[2:])
    requests, log = capture(folder)
    with (folder / ".stacks").open("w") as stacks:
        session = Session(log)
        for raw in requests:
            request = json.loads(raw)
            log.begin()
            os.chdir(request["workdir"] or folder)
            os.environ["COLUMNS"] = str(request["width"] or 80)
            faulthandler.dump_traceback_later(request["timeout"], file=stacks)
            start = time.perf_counter()
            session.run(request["code"], request["file"], request["line"])
            seconds = time.perf_counter() - start
            faulthandler.cancel_dump_traceback_later()
            log.finish()
            log.send(done=seconds)
    os._exit(0)  # threads that blocks have left behind must not keep the session alive


if __name__ == "__main__":
    main()
