"""Show values, displayed objects and figures as a notebook would: as MIME bundles, made by IPython's formatters."""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING, Any

from codeout.kernel.lazy_ipython import LazyIPython
from codeout.kernel.limits import MAX_DISPLAYS, cut_bundle

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from codeout.kernel.events import EventLog

MAX_PLAIN_TEXT = 1_000  # characters of a text that is shown without IPython
MAX_PLAIN_BITS = 1_000  # of such an integer


class Display:
    """Sends what is shown to the log."""

    def __init__(self, log: EventLog) -> None:
        """Prepare IPython, without loading it."""
        self._log = log
        self._displays = 0
        self._shell: InteractiveShell | None = None
        self._ipython = LazyIPython(self._start_shell)

    @property
    def loading_seconds(self) -> float:
        """How long loading IPython has taken, 0 if it is not loaded."""
        return self._ipython.loading_seconds

    def load(self) -> None:
        """Load IPython now, unless it is loaded."""
        self._ipython.load()

    def show_value(self, value: object) -> None:
        """Show the value of a block's last expression."""
        if _is_drawn(value):
            return
        if not self._ipython.is_loaded and _is_plain(value):
            self.publish({"text/plain": repr(value)})  # what IPython would make of it
            return
        self._ipython.load()
        if self._shell is None or self._shell.display_formatter is None:
            raise AssertionError("IPython is loaded, so there is a shell with a formatter")
        self._shell.display_pub.publish(*self._shell.display_formatter.format(value))

    @staticmethod
    def show_figures() -> None:
        """Show the figures that are open in pyplot, and close them."""
        if "matplotlib.pyplot" in sys.modules:
            from codeout.kernel.matplotlib_backend import FigureManager

            FigureManager.pyplot_show()

    def publish(
        self, data: dict[str, Any], alt: str | None = None, display_id: str | None = None, *, update: bool = False
    ) -> None:
        """Send a MIME bundle; what is no text or bytes is left out."""
        self._displays += 1
        if self._displays > MAX_DISPLAYS and not update:
            return
        bundle = {mime: _as_text(part) for mime, part in data.items() if isinstance(part, str | bytes)}
        self._log.send("display", data=cut_bundle(bundle), alt=alt, id=display_id, update=update)

    def begin_block(self) -> None:
        """Start to count what the next block displays."""
        self._displays = 0

    def end_block(self) -> None:
        """Say how many displayed objects were left out."""
        if (more := self._displays - MAX_DISPLAYS) > 0:
            note = f"[… {more:,} more outputs left out; the limit is {MAX_DISPLAYS:,} …]\n"
            self._log.send("stream", name="stdout", text=note)

    def _start_shell(self) -> None:
        from codeout.kernel.ipython_shell import start_shell

        self._shell = start_shell(self.publish, lambda: self._log.send("clear"))


def _is_plain(value: object) -> bool:
    """Return whether IPython shows nothing of a value but its `repr`, on one line."""
    if type(value) is str:
        return len(value) <= MAX_PLAIN_TEXT
    return type(value) in (bool, float) or (type(value) is int and value.bit_length() <= MAX_PLAIN_BITS)


def _is_drawn(value: object) -> bool:
    """Return whether a value is what plotting functions return: a figure shows it, and nobody wants to read it."""
    if "matplotlib.artist" not in sys.modules:
        return False
    from matplotlib.artist import Artist
    from matplotlib.container import Container
    from matplotlib.figure import Figure

    items: list[object] = list(value) if isinstance(value, list | tuple) else [value]
    return bool(items) and all(isinstance(i, Artist | Container) and not isinstance(i, Figure) for i in items)


def _as_text(part: str | bytes) -> str:
    return base64.b64encode(part).decode() if isinstance(part, bytes) else part
