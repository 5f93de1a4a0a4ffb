"""A drawing as SVG, put together from arrows, boxes and text.

Its classes `leaf`, `node` and `edge` are colored by the site's stylesheet; without one, a drawing is legible as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

INK, SOFT, ACCENT, PALE = "currentColor", "#8a93a6", "#4a7bd8", "#dbe6fb"
MARGIN = 8  # units of the drawing, about a pixel each on a phone


@dataclass(frozen=True)
class Drawing:
    """A drawing that a notebook or a page shows, and a script saves."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, folder: Path, name: str) -> Path:
        """Write the drawing to a file, and return its path."""
        return write(folder / f"{name}.svg", self.svg)


def write(path: Path, text: str) -> Path:
    """Write a text file and the folders above it, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf8")
    return path


def drawing(
    width: float, height: float, title: str, description: str, parts: Iterable[str], *, focusable: bool = False
) -> Drawing:
    """Return a drawing with a title and a description for readers who cannot see it.

    Args:
        width: in units of the drawing.
        height: likewise.
        title: a short name.
        description: what the drawing shows.
        parts: elements of SVG.
        focusable: whether parts can be focused, which they cannot inside of an image.
    """
    role = "group" if focusable else "img"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="{role}" aria-labelledby="title description" '
        'font-family="system-ui, sans-serif" font-size="14">'
        f'<title id="title">{escape(title)}</title><desc id="description">{escape(description)}</desc>'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{SOFT}"/></marker></defs>'
    )
    return Drawing(f"{head}{''.join(parts)}</svg>")


def box(x: float, y: float, width: float, height: float, kind: str) -> str:
    """Return a box; `kind` is its class, `leaf` or `node`."""
    fill = ACCENT if kind == "leaf" else PALE
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="4"'
    return f'<rect class="{kind}" {place} fill="{fill}" stroke="{ACCENT}"/>'


def label(
    x: float, y: float, text: str, *, anchor: str = "middle", weight: str = "normal", color: str = INK, kind: str = ""
) -> str:
    """Return a line of text at its baseline; `kind` is its class."""
    name = f' class="{kind}"' if kind else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text{name} {place} fill="{color}">{escape(text)}</text>'


def arrow(x0: float, y0: float, x1: float, y1: float) -> str:
    """Return a curved arrow that leaves and arrives vertically."""
    line = f"M{x0:.1f} {y0:.1f}C{x0:.1f} {(y0 + y1) / 2:.1f} {x1:.1f} {(y0 + y1) / 2:.1f} {x1:.1f} {y1:.1f}"
    return f'<path class="edge" d="{line}" fill="none" stroke="{SOFT}" stroke-width="1.5" marker-end="url(#tip)"/>'
