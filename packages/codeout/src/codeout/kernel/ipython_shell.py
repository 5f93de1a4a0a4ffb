"""Start IPython's shell in a kernel: its formatters, and a publisher that sends what is displayed to the parent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol

from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


class Publish(Protocol):
    """Sends a MIME bundle to the parent."""

    def __call__(
        self, data: dict[str, Any], alt: str | None, display_id: str | None, *, width: int, update: bool
    ) -> None:
        """Send the bundle with its alt text, and the width in pixels that was asked for, 0 if none was.

        `update` replaces the bundle with the same `display_id`.
        """


class _Publisher(DisplayPublisher):
    """Sends what is displayed to the parent."""

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


def start_shell(publish: Publish, clear: Callable[[bool], None]) -> InteractiveShell:
    """Start the shell of this process.

    Args:
        publish: sends what is displayed.
        clear: discards what the block has shown so far, now or once it shows something else.
    """
    settings = Config()
    settings.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=settings)
    shell.display_pub = _Publisher(publish, clear, parent=shell)
    shell.showtraceback = _reraise  # type: ignore[method-assign, assignment]
    shell.system = shell.system_raw  # type: ignore[method-assign]  # in the block's own terminal, which is captured
    shell.magics_manager.register_function(lambda line: None, "line", "matplotlib")  # figures are shown as they are
    formatter = shell.display_formatter
    if formatter is None:
        raise AssertionError("a new shell has a display formatter")
    for mime, draw in {"image/svg+xml": _figure_svg, "image/png": _figure_png}.items():
        formatter.formatters[mime].for_type_by_name("matplotlib.figure", "Figure", draw)
    return shell


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
