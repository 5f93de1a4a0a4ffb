"""The matplotlib backend of a kernel: `plt.show()` and the end of a block display every open figure.

A figure is SVG if `rcParams["savefig.format"]` is "svg", otherwise PNG at twice its resolution, for sharp screens.
"""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from IPython.display import display
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_displayed: set[int] = set()  # identities of the open figures that were displayed as a value


class FigureManager(FigureManagerBase):
    """Shows figures by displaying them, once each."""

    @classmethod
    def pyplot_show(cls, *, block: bool | None = None) -> None:
        """Display all open figures in the order of their creation, and close them."""
        from matplotlib import pyplot

        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            if id(figure) not in _displayed:
                display(figure)
        pyplot.close("all")
        _displayed.clear()


class FigureCanvas(FigureCanvasAgg):
    """The class that matplotlib looks for in a backend."""

    manager_class = FigureManager


def svg(figure: Figure) -> tuple[str, dict[str, str]] | None:
    """Return a figure as SVG with its alt text, if the style asks for SVG. Equal figures have equal bytes."""
    if mpl.rcParams["savefig.format"] != "svg":
        return None
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "codeout"}):
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    _displayed.add(id(figure))
    return buffer.getvalue(), {"alt": alt_text(figure)}


def png(figure: Figure) -> tuple[bytes, dict[str, str]] | None:
    """Return a figure as PNG with its alt text, unless the style asks for SVG."""
    if mpl.rcParams["savefig.format"] == "svg":
        return None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=2 * figure.dpi, bbox_inches="tight", metadata={"Software": None})
    _displayed.add(id(figure))
    return buffer.getvalue(), {"alt": alt_text(figure)}


def alt_text(figure: Figure) -> str:
    """Return the label of a figure (`fig.set_label`) or, if it has none, its titles and the labels of its axes."""
    if label := str(figure.get_label()):
        return label
    parts: list[Any] = [figure.get_suptitle()]
    for axes in figure.axes:
        parts += [axes.get_title(), _axis_labels(axes.get_xlabel(), axes.get_ylabel())]
    return "; ".join(dict.fromkeys(str(part) for part in parts if part)) or "A figure without a title"


def _axis_labels(x: str, y: str) -> str:
    return f"{y} against {x}" if x and y else x or y
