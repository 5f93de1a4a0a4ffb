"""The matplotlib backend of a kernel: `plt.show()` and the end of a block display every open figure.

A figure is SVG if `rcParams["savefig.format"]` is "svg", otherwise PNG at twice its resolution, for sharp screens.
"""

from __future__ import annotations

import io
import sys
import warnings
from types import FrameType
from typing import IO, Any

import matplotlib as mpl
from IPython.display import display
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_displayed_ids: set[int] = set()  # identities of the open figures that were displayed as a value
_saved_ids: set[int] = set()  # and of those that the author's code has saved


class FigureManager(FigureManagerBase):
    """Shows figures by displaying them, once each."""

    @classmethod
    def pyplot_show(cls, *, block: bool | None = None, keeps_saved: bool = True) -> None:
        """Display the open figures in the order of their creation, with or without those that were saved; close all."""
        from matplotlib import pyplot

        skipped_ids = _displayed_ids if keeps_saved else _displayed_ids | _saved_ids
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            # Nothing was drawn after `plt.show()` when a function of pyplot has then opened another figure.
            is_blank = figure.get_children() == [figure.patch]
            if id(figure) not in skipped_ids and not is_blank:
                display(figure)
        pyplot.close("all")
        _displayed_ids.clear()
        _saved_ids.clear()


class FigureCanvas(FigureCanvasAgg):
    """The class that matplotlib looks for in a backend."""

    manager_class = FigureManager

    def print_figure(self, *arguments: Any, **options: Any) -> Any:
        """Save the figure, and note that."""
        _saved_ids.add(id(self.figure))
        return super().print_figure(*arguments, **options)


def draw(extension: str, figure: Figure) -> tuple[str | bytes, dict[str, str]] | None:
    """Return a figure as "svg" or "png" with its alt text; None if the style asks for the other one."""
    if (extension == "svg") != (mpl.rcParams["savefig.format"] == "svg"):
        return None
    buffer = io.BytesIO()
    if extension == "svg":
        with mpl.rc_context({"svg.hashsalt": "codeout"}):  # equal figures have equal bytes
            _save(figure, buffer, format="svg", metadata={"Date": None, "Creator": None})
        return buffer.getvalue().decode(), {"alt": alt_text(figure)}
    _save(figure, buffer, format="png", dpi=2 * figure.dpi, metadata={"Software": None})
    return buffer.getvalue(), {"alt": alt_text(figure)}


def _save(figure: Figure, buffer: IO[bytes], **options: Any) -> None:
    """Save a figure that is displayed. Warnings name the author's line, or the figure where there is none."""
    was_saved = id(figure) in _saved_ids
    with warnings.catch_warnings(record=True) as caught_warnings:
        figure.savefig(buffer, bbox_inches="tight", **options)
    _displayed_ids.add(id(figure))
    if not was_saved:
        _saved_ids.discard(id(figure))
    main = vars(sys.modules["__main__"])
    frame: FrameType | None = sys._getframe()  # noqa: SLF001  # it has no other name
    while frame is not None and frame.f_globals is not main:
        frame = frame.f_back
    place = (frame.f_code.co_filename, frame.f_lineno) if frame else ("figure", 1)
    for warning in caught_warnings:
        warnings.warn_explicit(warning.message, warning.category, *place)


def alt_text(figure: Figure) -> str:
    """Return the label of a figure (`fig.set_label`) or, if it has none, its titles and the labels of its axes."""
    if label := str(figure.get_label()):
        return label
    parts: list[Any] = [figure.get_suptitle()]
    for axes in figure.axes:
        parts += [axes.get_title(), " against ".join(filter(None, (axes.get_ylabel(), axes.get_xlabel())))]
    return "; ".join(dict.fromkeys(str(part) for part in parts if part)) or "A figure without a title"
