"""The child process of a session: runs blocks one after the other in one namespace.

It is started as `python -m codeout.kernel PARENT FOLDER...`, reads one JSON request a line from its standard input and
writes events, one a line, to its standard output. Before any block runs, `capture` moves both out of reach.
"""

from __future__ import annotations

import ast
import base64
import ctypes
import faulthandler
import io
import json
import linecache
import os
import signal
import sys
import sysconfig
import time
import tokenize
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
from typing import IO, Any

from codeout.kernel import checkpoints as checkpoints
from codeout.kernel.capture import EventLog, capture

LONGEST = 200  # characters of a text that prose may name


class Session:
    """A namespace, and the IPython machinery that knows how objects show themselves."""

    def __init__(self, log: EventLog) -> None:
        """Make an empty namespace; it is what `__main__` means from now on."""
        self._log = log
        self._show = _display(log)  # before our own `__main__`: IPython puts one there, too
        self._module = ModuleType("__main__")
        sys.modules["__main__"] = self._module
        self._values: dict[str, Any] = {}

    def news(self) -> dict[str, bool | int | float | str]:
        """Return the names that are bound to another number or short text than before; prose may name them."""
        told, new = self._values, vars(self._module)
        self._values = {name: new[name] for name in new if not name.startswith("_") and _is_plain(new[name])}
        return {name: value for name, value in self._values.items() if name not in told or told[name] is not value}

    def run(self, code: str, file: str, line: int) -> None:
        """Run a block; its outputs and its exception, if it raises one, go to the log.

        Args:
            code: the block.
            file: what tracebacks call the file it stands in.
            line: the line of that file where it starts, from 1.
        """
        padded = "\n" * (line - 1) + code
        _remember(file, padded, line)
        try:
            try:
                value = _execute(padded, file, vars(self._module))
                if value is not None and not _is_artist(value):
                    self._show(value)
            finally:
                _show_figures()
        except BaseException as exception:  # the outermost frame of the author's code: all of it is reported
            self._log.send(**_described(exception, file))


def _is_plain(value: object) -> bool:
    """Return whether a value is a number or a short text that JSON can hold."""
    if type(value) is str:
        return len(value) <= LONGEST
    return isinstance(value, bool | float) or (type(value) is int and value.bit_length() <= 64)


def _remember(file: str, padded: str, line: int) -> None:
    """Let tracebacks and `inspect` find the lines of a block, among those of the blocks before it in the same file."""
    remembered = linecache.cache.get(file)
    known = remembered[2] if remembered and len(remembered) == 4 else []
    own = padded.splitlines(keepends=True)
    above = known[: line - 1]
    linecache.cache[file] = (len(padded), None, above + own[len(above) :] + known[len(own) :], file)


def _execute(code: str, file: str, namespace: dict[str, Any]) -> object:
    """Run code; return the value of its last expression, None if it ends otherwise or with a semicolon."""
    tree = ast.parse(code, file)
    last = tree.body[-1] if tree.body else None
    silent = not isinstance(last, ast.Expr) or _ends_with_semicolon(code)
    if not silent:
        tree.body.pop()
    # `dont_inherit`: the author's code does not live under the `__future__` imports of this file
    exec(compile(tree, file, "exec", dont_inherit=True), namespace)
    if silent or not isinstance(last, ast.Expr):
        return None
    value: object = eval(compile(ast.Expression(last.value), file, "eval", dont_inherit=True), namespace)
    return value


def _ends_with_semicolon(code: str) -> bool:
    nothing = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.DEDENT)
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(code).readline) if t.type not in nothing]
    return bool(tokens) and tokens[-1].string == ";"


def _is_artist(value: object) -> bool:
    """Return whether a value is what plotting functions return and nobody wants to read."""
    if "matplotlib.artist" not in sys.modules:
        return False
    from matplotlib.artist import Artist
    from matplotlib.container import Container
    from matplotlib.figure import Figure

    items: list[object] = list(value) if isinstance(value, list | tuple) else [value]
    return bool(items) and all(isinstance(i, Artist | Container) and not isinstance(i, Figure) for i in items)


def _show_figures() -> None:
    if "matplotlib.pyplot" in sys.modules:
        from codeout.kernel.matplotlib_backend import FigureManager

        FigureManager.pyplot_show()


def _display(log: EventLog) -> Callable[[object], None]:
    """Set up IPython's `display`; return what displays a value as a notebook would."""
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Publisher(DisplayPublisher):
        """Sends what is displayed to the parent."""

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
            told = [part for part in (metadata or {}).values() if isinstance(part, dict)]
            alt = next((part["alt"] for part in told if "alt" in part), None)
            bundle = {mime: _text(part) for mime, part in data.items() if isinstance(part, str | bytes)}
            log.send(display=bundle, alt=alt, id=(transient or {}).get("display_id"), update=update)

        def clear_output(self, wait: bool = False) -> None:
            log.send(clear=True)

    def reraise(exception: Any = None, *_: Any, **__: Any) -> None:
        """Stand in for IPython's way of printing what an object's own representation raised."""
        raise exception[1] if exception else sys.exc_info()[1] or AssertionError("no exception to show")

    settings = Config()
    settings.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=settings)
    shell.display_pub = Publisher(parent=shell)  # type: ignore[no-untyped-call]
    shell.showtraceback = reraise  # type: ignore[method-assign, assignment]
    formatter = shell.display_formatter
    if formatter is None:
        raise AssertionError("a shell has a display formatter once it is made")
    for mime, picture in _FIGURES.items():
        formatter.formatters[mime].for_type_by_name("matplotlib.figure", "Figure", picture)

    def show(value: object) -> None:
        shell.display_pub.publish(*formatter.format(value))

    return show


def _figure_svg(figure: Any) -> tuple[str, dict[str, str]] | None:
    from codeout.kernel import matplotlib_backend as backend

    return backend.svg(figure)


def _figure_png(figure: Any) -> tuple[bytes, dict[str, str]] | None:
    from codeout.kernel import matplotlib_backend as backend

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
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("stdlib")}:
        text = text.replace(folder + os.sep, "")
    try:
        message = str(exception)
    except Exception as problem:
        message = f"(its __str__ raised {type(problem).__name__})"
    return {
        "error": type(exception).__name__,
        "bases": [base.__name__ for base in type(exception).__mro__[1:]],
        "message": message,
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


def _imported(folders: Sequence[str]) -> list[str]:
    """Return the files of the modules that came from these folders, however they were imported."""
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    known = [file for file in files if isinstance(file, str)]
    return sorted({f for f in known if any(Path(f).is_relative_to(folder) for folder in folders)})


def _die_with(parent: int) -> None:
    """Have the kernel end this process when its parent is gone, however it went (Linux: prctl 1 is PDEATHSIG).

    It also becomes the one to whom orphans of a block fall (prctl 36, PR_SET_CHILD_SUBREAPER), so they can be found.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(1, signal.SIGKILL)
        libc.prctl(36, 1)
        if os.getppid() != parent:  # it went before the kernel was asked
            os._exit(1)


def _serve(request: Mapping[str, Any], session: Session) -> float:
    """Run the block of a request; return the seconds that it took."""
    here = Path.cwd() if request["workdir"] else None
    if here:
        os.chdir(request["workdir"])
    os.environ["COLUMNS"] = str(request["width"] or 80)
    start = time.perf_counter()
    session.run(request["code"], request["file"], request["line"])
    seconds = time.perf_counter() - start
    if here:
        os.chdir(here)
    return seconds


def _snapshot(requests: IO[bytes], log: EventLog, folder: Path, number: int) -> IO[bytes] | None:
    """Leave a copy of this process behind, if that is safe; in the copy, return where requests come from now."""
    safe = checkpoints.safe()
    log.send(checkpoint=safe)

    def leave() -> None:
        log.leave()
        requests.close()

    connection = checkpoints.take(folder / checkpoints.CONTROL, number, leave) if safe else None
    if connection is None:
        return None
    log.move(os.dup(connection.fileno()), folder)
    return connection.makefile("rb")


def main() -> None:
    """Serve requests until the parent hangs up.

    The arguments are the parent's process id, and the folders that blocks import from.
    """
    _die_with(int(sys.argv[1]))
    folder, folders, own = Path.cwd(), sys.argv[2:], os.getpid()
    _import_from(folders)
    requests, log = capture(folder)
    with (folder / ".stacks").open("w") as stacks:
        session = Session(log)
        while raw := requests.readline():
            request = json.loads(raw)
            log.begin()
            if "checkpoint" in request:
                if resumed := _snapshot(requests, log, folder, request["checkpoint"]):
                    own, requests = os.getpid(), resumed
                continue
            faulthandler.dump_traceback_later(request["timeout"], file=stacks)
            seconds = _serve(request, session)
            if os.getpid() != own:  # a process that a block has forked, and that has come to the block's end
                os._exit(0)  # at once: it has not got the thread that `faulthandler` would wait for
            faulthandler.cancel_dump_traceback_later()
            log.send(done=seconds, modules=_imported(folders), values=session.news(), safe=checkpoints.safe())
    os._exit(0)  # threads that blocks have left behind must not keep the session alive


if __name__ == "__main__":
    main()
