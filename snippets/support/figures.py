"""The diagrams of the chapter, drawn from the objects of a run: graphs of `grad_fn` nodes, and a network's shapes.

In a graph each box is a `step` that shows what flowed through it while a reader points at it or focuses it.
"""

from __future__ import annotations

import base64
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from broadcasting import broadcasting
from forward_pass import Stage, stages
from gradient_graph import Node, trace
from svg import MARGIN, Drawing, arrow, box, drawing, label, write

__all__ = ["Drawing", "Gallery", "broadcasting", "chain", "graph", "network", "show", "stages", "trace"]

CAPTION_WIDTH = 42  # letters in a line
CAPTION_LINES = 4


@dataclass(frozen=True)
class Gallery:
    """Rows of small pictures, each row with its name; a browser loads a row when it comes into view."""

    rows: Mapping[str, Tensor]
    """Pictures by name, (N, 3, height, width), with colors from 0 to 255."""

    def _repr_html_(self) -> str:
        rows = "".join(self._row(name, pictures) for name, pictures in self.rows.items())
        return f'<table class="gallery"><tbody>{rows}</tbody></table>'

    @staticmethod
    def _row(name: str, pictures: Tensor) -> str:
        count, _, height, width = pictures.shape
        strip = torch.cat(pictures.unbind(), dim=2)  # next to each other
        Image.fromarray(strip.permute(1, 2, 0).numpy()).save(file := BytesIO(), "png", optimize=True)
        data = base64.b64encode(file.getvalue()).decode()
        size = f'width="{2 * count * width}" height="{2 * height}"'
        return (
            f'<tr><th scope="row">{escape(name)}</th><td><img src="data:image/png;base64,{data}" {size} '
            f'loading="lazy" alt="{count} pictures: {escape(name)}"></td></tr>'
        )

    def save(self, folder: Path, name: str) -> Path:
        """Write the rows to a file, and return its path."""
        return write(folder / f"{name}.html", self._repr_html_())


def show(figure: Drawing | Gallery, name: str) -> None:
    """Show a figure on a page or in a notebook; in a script, save it to the folder `figures`."""
    ipython = sys.modules.get("IPython")  # loaded while a site is built, and in a notebook
    if ipython and ipython.get_ipython():
        ipython.display.display(figure)
    else:
        print(f"wrote {figure.save(Path('figures'), name)}")


def graph(result: Tensor, name: str, leaves: Mapping[str, Tensor]) -> Drawing:
    """Draw how a tensor was computed, from the leaves at the top down to it."""
    traced = trace(result, leaves)
    rows, columns = traced.rows(), traced.columns()
    width, height, gap = 150, 34, 26
    left = {key: MARGIN + column * (width + 16) for key, column in columns.items()}
    top = {key: MARGIN + row * (height + gap) for key, row in rows.items()}
    center = {key: x + width / 2 for key, x in left.items()}
    parts = [arrow(center[start], top[start] + height, center[end], top[end]) for start, end in traced.edges]
    x, bottom = center[traced.root], top[traced.root] + height
    foot = bottom + gap + 46
    parts += [arrow(x, bottom, x, bottom + gap - 4), label(x, bottom + gap + 14, name, weight="bold")]
    order = sorted(traced.nodes, key=lambda key: (rows[key], columns[key]))
    parts += [_step(traced.nodes[key], left[key], top[key], width, height, foot) for key in order]
    names = ", ".join(traced.nodes[key].label for key in order)
    description = f"The graph of {name} in {max(rows.values()) + 1} rows, from the leaves down: {names}."
    total = max(left.values()) + width + MARGIN
    return _with_captions(total, foot, f"How {name} was computed", description, parts)


def chain(result: Tensor, name: str) -> Drawing:
    """Draw the longest path to a tensor from what it was computed from, in the order of the forward pass.

    Next to each function is the shape of the gradient that arrives there, which is the shape of its result.
    """
    traced = trace(result, {})
    nodes = [traced.nodes[key] for key in traced.longest_path()]
    width, height, gap = 248, 30, 16
    middle, foot = MARGIN + width / 2, MARGIN + len(nodes) * (height + gap) + 42
    parts = []
    for number, node in enumerate(nodes):
        y = MARGIN + number * (height + gap)
        parts.append(arrow(middle, y + height, middle, y + height + gap))
        if shape := " × ".join(map(str, node.gradient_shape[1:])):
            parts.append(label(MARGIN + width + 14, y + height / 2 + 5, shape, anchor="start"))
        parts.append(_step(node, MARGIN, y, width, height, foot))
    parts.append(label(middle, foot - 26, name, weight="bold"))
    names = ", ".join(node.label for node in nodes)
    return _with_captions(376, foot, f"The way to {name}", f"In the order of the forward pass: {names}.", parts)


def network(net: nn.Module, example: Tensor) -> Drawing:
    """Draw a network as the shapes that a forward pass had, from the input at the top to the output."""
    merged = _merge_relus(stages(net, example))
    width, high, middle, right = 364, 58, 72, 150
    parts = []
    for number, stage in enumerate(merged):
        y = MARGIN + number * high + high / 2
        if number:
            parts.append(arrow(middle, y - high / 2 - 6, middle, y - high / 2 + 6))
        parts += _shape(stage.shape, middle, y)
        parts.append(label(right, y - 3, stage.name, anchor="start", weight="bold"))
        parts.append(label(right, y + 14, " × ".join(map(str, stage.shape)), anchor="start"))
    description = "; ".join(f"{stage.name}: {' by '.join(map(str, stage.shape))}" for stage in merged)
    height = 2 * MARGIN + len(merged) * high
    return drawing(width, height, f"{type(net).__name__}, layer by layer", description, parts)


def _merge_relus(found: Sequence[Stage]) -> list[Stage]:
    """Join each relu with the layer before it, because it keeps the shape."""
    merged: list[Stage] = []
    for stage in found:
        if stage.name == "relu" and merged:
            merged[-1] = Stage(f"{merged[-1].name}, relu", stage.shape)
        else:
            merged.append(stage)
    return merged


def _shape(shape: tuple[int, ...], x: float, y: float) -> list[str]:
    """Draw feature maps as a pile of squares, and a row of numbers as a bar; larger shapes are larger."""
    if len(shape) == 3:
        maps, side = min(shape[0], 6), 8 + 26 * (shape[-1] / 32) ** 0.5
        step = 5
        first = x - side / 2 - step * (maps - 1) / 2
        return [box(first + step * i, y - side / 2, side, side, "node") for i in range(maps)]
    length = 12 + 118 * min(shape[-1] / 400, 1) ** 0.5
    return [box(x - length / 2, y - 6, length, 12, "leaf" if shape[-1] <= 10 else "node")]


def _step(node: Node, x: float, y: float, width: float, height: float, foot: float) -> str:
    """Draw a node as a box, and its caption at the foot of the drawing, hidden until a reader asks for it."""
    kind, color = ("leaf", "#ffffff") if node.is_leaf else ("node", "#1d2433")
    name = f"{node.label}  (leaf)" if node.is_leaf else node.label
    text = label(x + width / 2, y + height / 2 + 5, name, color=color, kind=f"{kind}-text")
    lines = [line for each in node.description for line in textwrap.wrap(each, CAPTION_WIDTH, subsequent_indent="  ")]
    caption = "".join(label(MARGIN, foot + 18 * number, line, anchor="start") for number, line in enumerate(lines))
    alt = escape("; ".join(node.description), quote=True)
    return (
        f'<g class="step" tabindex="0" role="img" aria-label="{alt}"><title>{alt}</title>'
        f'{box(x, y, width, height, kind)}{text}<g class="caption" visibility="hidden">{caption}</g></g>'
    )


def _with_captions(width: float, foot: float, title: str, description: str, parts: list[str]) -> Drawing:
    """Return a drawing of steps with room for a caption at its foot, and a hint there until a reader asks for one."""
    hint = ("Point at a box, tap it, or press Tab", "to see the gradient that arrives there.")
    lines = "".join(label(MARGIN, foot + 18 * number, line, anchor="start") for number, line in enumerate(hint))
    parts = [*parts, f'<g class="hint">{lines}</g>']
    return drawing(width, foot + 18 * CAPTION_LINES, title, description, parts, focusable=True)
