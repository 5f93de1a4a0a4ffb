"""The matplotlib backend of a worker: `plt.show()`, and the end of a block, send every open figure to the page.

Figures are SVG if `rcParams["savefig.format"]` says so, else PNG with two pixels a point's pixel, for sharp screens.
"""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from IPython.display import display
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_shown: set[int] = set()  # figures of this block that were displayed as a value


class FigureManager(FigureManagerBase):
    """Shows figures by displaying them, once each."""

    @classmethod
    def pyplot_show(cls, *, block: bool | None = None) -> None:
        """Display all open figures, in the order they were made, and close them."""
        from matplotlib import pyplot

        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            if id(figure) not in _shown:
                display(figure)
        pyplot.close("all")
        _shown.clear()


class FigureCanvas(FigureCanvasAgg):
    """What matplotlib asks a backend for."""

    manager_class = FigureManager


def svg(figure: Figure) -> tuple[str, dict[str, str]] | None:
    """Return a figure as SVG with its words, if the style asks for SVG. Its bytes depend on nothing but the figure."""
    if mpl.rcParams["savefig.format"] != "svg":
        return None
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "codeout"}):
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    _shown.add(id(figure))
    return buffer.getvalue(), {"alt": words(figure)}


def png(figure: Figure) -> tuple[bytes, dict[str, str]] | None:
    """Return a figure as PNG with its words, unless the style asks for SVG."""
    if mpl.rcParams["savefig.format"] == "svg":
        return None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=2 * figure.dpi, bbox_inches="tight", metadata={"Software": None})
    _shown.add(id(figure))
    return buffer.getvalue(), {"alt": words(figure)}


def words(figure: Figure) -> str:
    """Return the words that stand for a figure: its label (`fig.set_label`), else what its titles and axes say."""
    if label := str(figure.get_label()):
        return label
    said: list[Any] = [figure.get_suptitle()]
    for axes in figure.axes:
        said += [axes.get_title(), _versus(axes.get_xlabel(), axes.get_ylabel())]
    return "; ".join(dict.fromkeys(str(part) for part in said if part)) or "A figure without a title"


def _versus(x: str, y: str) -> str:
    return f"{y} against {x}" if x and y else x or y
