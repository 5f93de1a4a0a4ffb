"""Show values, displayed objects and figures as a notebook would: as MIME bundles, made by IPython's formatters."""

from __future__ import annotations

import base64
import json
import sys
from typing import TYPE_CHECKING, Any

from codeout.kernel.events import MAX_DISPLAYS, cut_bundle
from codeout.kernel.ipython import LazyIPython

if TYPE_CHECKING:
    from types import ModuleType

    from codeout.kernel.events import EventLog

MAX_PLAIN_TEXT, MAX_PLAIN_BITS = 1_000, 1_000  # characters of a text, bits of an integer that need no IPython
PLAIN = "text/plain"
ANIMATION_NOTE = "to show an animation, set plt.rcParams['animation.html'] = 'jshtml'\n"
SHOWN_TYPES = {
    *("text/html", "text/markdown", "text/latex", "application/javascript", "application/json"),
    *("image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp"),
}
"""The MIME types besides plain text that a page shows (`codeout.model.mime`)."""


class Display:
    """Sends what is shown to the log."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.keeps_saved_figures = True
        """Whether a figure that the block saves is shown as well, when it is left open."""
        self._displays = 0
        self.ipython = LazyIPython(self.publish, lambda wait=False: log.send("clear", wait=wait))

    def show_value(self, value: object) -> None:
        """Show the value of a block's last expression."""
        if _is_drawn(value):
            return
        if not self.ipython.is_loaded and _is_plain(value):
            self.publish({PLAIN: repr(value)})  # what IPython would make of it
            return
        shell = self.ipython.load()
        data, metadata = shell.display_formatter.format(value)
        if data:  # else it has displayed itself, by `_ipython_display_`
            shell.display_pub.publish(data, metadata)

    def expand_magics(self, code: str, module: ModuleType) -> str:
        """Return code with Python in place of IPython's own syntax; magics look for names in the module."""
        shell = self.ipython.load()
        shell.user_module, shell.user_ns = module, vars(module)
        vars(module)["get_ipython"] = shell.get_ipython
        return str(shell.input_transformer_manager.transform_cell(code))

    def show_figures(self) -> None:
        """Show the figures that are open in pyplot, and close them."""
        if "matplotlib.pyplot" in sys.modules:
            from codeout.kernel.matplotlib_backend import FigureManager

            FigureManager.pyplot_show(keeps_saved=self.keeps_saved_figures)

    def publish(
        self, data: dict[str, Any], alt: object = None, name: object = None, width: int = 0, *, update: bool = False
    ) -> None:
        """Send a MIME bundle without what is no text, bytes or JSON; `update` replaces the one with the same name.

        `width` is that of a picture, in pixels; 0 if none was asked for.
        """
        self._displays += 1
        if self._displays > MAX_DISPLAYS and not update:
            return
        bundle = {mime: text for mime, part in data.items() if (text := _as_text(mime, part)) is not None}
        if not bundle.keys() & SHOWN_TYPES and (better := next(iter(bundle.keys() - {PLAIN}), "")):
            note = f"only the text of an object is shown: {better} needs a notebook's own program\n"
            self._log.send("stream", name="stderr", text=note)
        elif {*bundle} == {PLAIN} and bundle[PLAIN].startswith("<matplotlib.animation."):
            self._log.send("stream", name="stderr", text=ANIMATION_NOTE)
        texts = {"alt": alt if alt is None else str(alt), "id": name if name is None else str(name)}
        self._log.send("display", data=cut_bundle(bundle), width=width, update=update, **texts)

    def begin_block(self) -> None:
        """Start to count what the next block displays."""
        self._displays = 0

    def end_block(self) -> None:
        """Say how many displayed objects were left out."""
        if (more := self._displays - MAX_DISPLAYS) > 0:
            note = f"[… {more:,} more outputs left out; the limit is {MAX_DISPLAYS:,} …]\n"
            self._log.send("stream", name="stdout", text=note)


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


def _as_text(mime: str, part: object) -> str | None:
    """Return a part of a bundle as text; None if it has no form that a page could show."""
    if mime.endswith("json"):  # text, too, is data: a notebook has it as JSON
        return json.dumps(part, indent=2, ensure_ascii=False, default=repr)
    if isinstance(part, bytes):
        return base64.b64encode(part).decode()
    return part if isinstance(part, str) else None
