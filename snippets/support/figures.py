"""The diagrams of the chapter, drawn from the objects of a run: graphs of `grad_fn` nodes, and a network's shapes.

A diagram is SVG with the classes `leaf`, `node`, `edge`, which the site colors; by itself it is legible, too. In a graph
each box is a `step` that can be pointed at or focused, and then tells what flowed there.
"""

from __future__ import annotations

import textwrap
import base64
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

INK, SOFT, ACCENT, PALE = "currentColor", "#8a93a6", "#4a7bd8", "#dbe6fb"
MARGIN = 8  # units of the drawing, about a pixel each on a phone
TOLD = 42  # letters of a line that a step tells
LINES = 4  # of them that there is room for


@dataclass(frozen=True)
class Drawing:
    """A picture made of words and lines; a notebook or a page shows it, a script writes it to a file."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, folder: Path, name: str) -> Path:
        """Write the picture to a file; return its path."""
        return _write(folder / f"{name}.svg", self.svg)


@dataclass(frozen=True)
class Gallery:
    """Rows of small pictures, each with its name; a browser loads a row when it comes into view."""

    rows: Mapping[str, Tensor]  # colors from 0 to 255: (N, 3, height, width)

    def _repr_html_(self) -> str:
        rows = "".join(self._row(name, pictures) for name, pictures in self.rows.items())
        return f'<table class="gallery"><tbody>{rows}</tbody></table>'

    @staticmethod
    def _row(name: str, pictures: Tensor) -> str:
        count, _, height, width = pictures.shape
        strip = torch.cat(pictures.unbind(), dim=2)  # side by side
        Image.fromarray(strip.permute(1, 2, 0).numpy()).save(file := BytesIO(), "png", optimize=True)
        data = base64.b64encode(file.getvalue()).decode()
        size = f'width="{2 * count * width}" height="{2 * height}"'
        return (
            f'<tr><th scope="row">{escape(name)}</th><td><img src="data:image/png;base64,{data}" {size} '
            f'loading="lazy" alt="{count} pictures: {escape(name)}"></td></tr>'
        )

    def save(self, folder: Path, name: str) -> Path:
        """Write the rows to a file; return its path."""
        return _write(folder / f"{name}.html", self._repr_html_())


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf8")
    return path


def show(drawing: Drawing | Gallery, name: str) -> None:
    """Show a drawing where there is something to show it on, else write it to a file in `figures`."""
    ipython = sys.modules.get("IPython")  # it is there while a site is built, and in a notebook
    if ipython and ipython.get_ipython():
        ipython.display.display(drawing)
    else:
        print(f"wrote {drawing.save(Path('figures'), name)}")


# --------------------------------------------------------------------------------------------- a graph of functions


@dataclass(frozen=True)
class Node:
    """A backward function, or a tensor that it ends at."""

    label: str
    leaf: bool
    shape: tuple[int, ...] = ()  # of the gradient that arrived
    told: tuple[str, ...] = ()  # lines: what flowed there


@dataclass(frozen=True)
class Graph:
    """Nodes by id, and the edges of the forward pass."""

    nodes: Mapping[int, Node]
    edges: Sequence[tuple[int, int]]
    root: int


def trace(result: Tensor, names: Mapping[str, Tensor]) -> Graph:
    """Walk from a tensor's `grad_fn` to its leaves, and send a gradient of ones back through them.

    No `.grad` changes, and the graph stays as it is.

    Args:
        result: the tensor that was computed; its graph has not been freed.
        names: leaf tensors by the name they go under.
    """
    functions: dict[int, Any] = {}  # autograd makes its Python objects on demand; ids are only good while they live
    edges: list[tuple[int, int]] = []

    def visit(function: Any) -> int:
        if id(function) not in functions:
            functions[id(function)] = function
            for earlier, _ in function.next_functions:
                if earlier is not None:
                    edges.append((visit(earlier), id(function)))
        return id(function)

    if result.grad_fn is None:
        raise ValueError("this tensor was not computed from one that requires a gradient")
    root = visit(result.grad_fn)
    arrived = _gradients(result, functions)
    known = {id(tensor): name for name, tensor in names.items()}
    nodes = {key: _node(function, arrived[key], known) for key, function in functions.items()}
    return Graph(nodes, tuple(edges), root)


def _gradients(result: Tensor, functions: Mapping[int, Any]) -> dict[int, Tensor]:
    """Return the gradient that arrives at each function when `result`'s own is ones."""
    leaves = {key: function.variable for key, function in functions.items() if hasattr(function, "variable")}
    arrived: dict[int, Tensor] = {}
    hooks = []
    for key, function in functions.items():

        def note(gradients: tuple[Tensor, ...], key: int = key) -> None:
            arrived[key] = gradients[0]

        hooks.append(function.register_prehook(note))
    try:
        found = torch.autograd.grad(result, list(leaves.values()), torch.ones_like(result), retain_graph=True)
    finally:
        for hook in hooks:
            hook.remove()
    return arrived | dict(zip(leaves, found, strict=True))


def _node(function: Any, gradient: Tensor, known: Mapping[int, str]) -> Node:
    label = function.name().rsplit("::", 1)[-1]
    shape = tuple(gradient.shape)
    tensor = getattr(function, "variable", None)
    if tensor is None:
        return Node(label, False, shape, (label, f"gets the gradient {_numbers(gradient)}"))
    name = known.get(id(tensor), label)
    return Node(name, True, shape, (f"{name} = {_numbers(tensor)}", f"gets the gradient {_numbers(gradient)}"))


def _numbers(tensor: Tensor) -> str:
    """Return the numbers of a small tensor, the range of a larger one, and the shape."""
    if tensor.numel() <= 4:
        words = ", ".join(f"{number:.4g}" for number in tensor.flatten().tolist())
    else:
        words = f"{tensor.min().item():.2g} to {tensor.max().item():.2g}"
    return f"{words}, shape {tuple(tensor.shape)}" if tensor.shape else words


def graph(result: Tensor, name: str, leaves: Mapping[str, Tensor]) -> Drawing:
    """Draw how a tensor was computed, from the leaves at the top down to it."""
    found = trace(result, leaves)
    row, column = _rows(found), _columns(found)
    wide, high, gap = 150, 34, 26
    last = max(row.values())

    def left(key: int) -> float:
        return MARGIN + column[key] * (wide + 16)

    def top(key: int) -> float:
        return MARGIN + row[key] * (high + gap)

    parts = []
    for start, end in found.edges:
        parts.append(_arrow(left(start) + wide / 2, top(start) + high, left(end) + wide / 2, top(end)))
    order = sorted(found.nodes, key=lambda key: (row[key], column[key]))
    bottom = top(found.root) + high
    x = left(found.root) + wide / 2
    parts.append(_arrow(x, bottom, x, bottom + gap - 4))
    parts.append(_text(x, bottom + gap + 14, name, weight="bold"))
    foot = bottom + gap + 46
    parts += [_step(found.nodes[key], left(key), top(key), wide, high, foot) for key in order]
    parts.append(_hint(foot))
    width = 2 * MARGIN + (max(column.values()) + 1) * (wide + 16) - 16
    names = ", ".join(found.nodes[key].label for key in order)
    words = f"The graph of {name} in {last + 1} rows, from the leaves down: {names}."
    return _drawing(width, foot + 18 * LINES, f"How {name} was computed", words, parts, steps=True)


def chain(result: Tensor, name: str) -> Drawing:
    """Draw the longest way from a tensor back to what it was computed from, in the order of the forward pass.

    Beside each function stands the shape of the gradient that arrives there: that of its result.
    """
    found = trace(result, {})
    row = _rows(found)
    path = [found.root]
    while before := [start for start, end in found.edges if end == path[-1] and not found.nodes[start].leaf]:
        path.append(max(before, key=lambda key: row[key]))
    wide, high, gap = 248, 30, 16
    parts = []
    foot = MARGIN + len(path) * (high + gap) + 42
    for number, key in enumerate(reversed(path)):
        y = MARGIN + number * (high + gap)
        node = found.nodes[key]
        parts.append(_arrow(MARGIN + wide / 2, y + high, MARGIN + wide / 2, y + high + gap))
        if shape := " × ".join(map(str, node.shape[1:])):
            parts.append(_text(MARGIN + wide + 14, y + high / 2 + 5, shape, anchor="start"))
        parts.append(_step(node, MARGIN, y, wide, high, foot))
    parts.append(_text(MARGIN + wide / 2, foot - 26, name, weight="bold"))
    parts.append(_hint(foot))
    names = ", ".join(found.nodes[key].label for key in reversed(path))
    return _drawing(
        376, foot + 18 * LINES, f"The way to {name}", f"In the order of the forward pass: {names}.", parts, steps=True
    )


def _rows(graph: Graph) -> dict[int, int]:
    """Return each node's row: leaves on top, every function below all that it came from."""
    earlier: dict[int, list[int]] = {key: [] for key in graph.nodes}
    for start, end in graph.edges:
        earlier[end].append(start)
    rows: dict[int, int] = {}

    def row(key: int) -> int:
        if key not in rows:
            rows[key] = max((row(one) + 1 for one in earlier[key]), default=0)
        return rows[key]

    for key in graph.nodes:
        row(key)
    return rows


def _columns(graph: Graph) -> dict[int, float]:
    """Return each node's column: leaves side by side, every function in the middle of what it came from."""
    earlier: dict[int, list[int]] = {key: [] for key in graph.nodes}
    for start, end in graph.edges:
        earlier[end].append(start)
    columns: dict[int, float] = {}
    leaves = 0

    def column(key: int) -> float:
        nonlocal leaves
        if key not in columns:
            if not earlier[key]:
                columns[key] = leaves
                leaves += 1
            else:
                columns[key] = sum(column(one) for one in earlier[key]) / len(earlier[key])
        return columns[key]

    column(graph.root)
    return columns


# ------------------------------------------------------------------------------------------------------ a network


@dataclass(frozen=True)
class Stage:
    """One step of a forward pass, and the shape that came out of it, without the batch."""

    name: str
    shape: tuple[int, ...]


class _Recorder(TorchFunctionMode):
    """Notes each function of a forward pass with the shape of its result."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self._layers = {id(tensor): name.rpartition(".")[0] for name, tensor in net.named_parameters()}
        self.stages: list[Stage] = []

    def __torch_function__(
        self, function: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", "")
        if name in _LAYERS and isinstance(result, Tensor):
            layer = next((f"{self._layers[id(arg)]}: " for arg in args if id(arg) in self._layers), "")
            self.stages.append(Stage(layer + _LAYERS[name], tuple(result.shape[1:])))
        return result


_LAYERS = {
    "conv2d": "convolution",
    "relu": "relu",
    "max_pool2d": "max pooling",
    "flatten": "flatten",
    "linear": "linear",
}


def stages(net: nn.Module, example: Tensor) -> list[Stage]:
    """Run a network once; return the input and each step with the shape it really had."""
    recorder = _Recorder(net)
    with torch.no_grad(), recorder:
        net(example)
    return [Stage("input", tuple(example.shape[1:])), *recorder.stages]


def network(net: nn.Module, example: Tensor) -> Drawing:
    """Draw a network as the shapes that a forward pass had, from the input at the top to the output."""
    found = _merged(stages(net, example))
    width, high, middle, right = 364, 58, 72, 150
    parts = []
    for number, stage in enumerate(found):
        y = MARGIN + number * high + high / 2
        if number:
            parts.append(_arrow(middle, y - high / 2 - 6, middle, y - high / 2 + 6))
        parts += _shape(stage.shape, middle, y)
        parts.append(_text(right, y - 3, stage.name, anchor="start", weight="bold"))
        parts.append(_text(right, y + 14, " × ".join(map(str, stage.shape)), anchor="start"))
    said = "; ".join(f"{stage.name}: {' by '.join(map(str, stage.shape))}" for stage in found)
    return _drawing(width, 2 * MARGIN + len(found) * high, f"{type(net).__name__}, layer by layer", said, parts)


def _merged(found: Sequence[Stage]) -> list[Stage]:
    """Put a relu with the layer before it: it keeps the shape."""
    merged: list[Stage] = []
    for stage in found:
        if stage.name == "relu" and merged:
            merged[-1] = Stage(f"{merged[-1].name}, relu", stage.shape)
        else:
            merged.append(stage)
    return merged


def _shape(shape: tuple[int, ...], x: float, y: float) -> list[str]:
    """Draw feature maps as a pile of squares, and numbers in a row as a bar; larger shapes are larger."""
    if len(shape) == 3:
        maps, side = min(shape[0], 6), 8 + 26 * (shape[-1] / 32) ** 0.5
        step = 5
        first = x - side / 2 - step * (maps - 1) / 2
        return [_rect(first + step * i, y - side / 2, side, side, "node") for i in range(maps)]
    length = 12 + 118 * min(shape[-1] / 400, 1) ** 0.5
    return [_rect(x - length / 2, y - 6, length, 12, "leaf" if shape[-1] <= 10 else "node")]


# ----------------------------------------------------------------------------------------------------------- SVG


def _drawing(
    width: float, height: float, title: str, words: str, parts: Iterable[str], *, steps: bool = False
) -> Drawing:
    role = "group" if steps else "img"  # what is in an `img` can't be focused
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="{role}" aria-labelledby="title words" '
        'font-family="system-ui, sans-serif" font-size="14">'
        f'<title id="title">{escape(title)}</title><desc id="words">{escape(words)}</desc>'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{SOFT}"/></marker></defs>'
    )
    return Drawing(f"{head}{''.join(parts)}</svg>")


def _rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    fill = ACCENT if kind == "leaf" else PALE
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="4"'
    return f'<rect class="{kind}" {place} fill="{fill}" stroke="{ACCENT}"/>'


def _step(node: Node, x: float, y: float, width: float, height: float, foot: float) -> str:
    """Draw a node as a box, and at the foot of the drawing what it tells, unseen until somebody asks."""
    kind, color = ("leaf", "#ffffff") if node.leaf else ("node", "#1d2433")
    words = f"{node.label}  (leaf)" if node.leaf else node.label
    text = _text(x + width / 2, y + height / 2 + 5, words, color=color, kind=f"{kind}-text")
    told = [line for each in node.told for line in textwrap.wrap(each, TOLD, subsequent_indent="  ")]
    lines = "".join(_text(MARGIN, foot + 18 * i, line, anchor="start") for i, line in enumerate(told))
    said = escape("; ".join(node.told), quote=True)
    return (
        f'<g class="step" tabindex="0" role="img" aria-label="{said}"><title>{said}</title>'
        f'{_rect(x, y, width, height, kind)}{text}<g class="told" visibility="hidden">{lines}</g></g>'
    )


def _hint(foot: float) -> str:
    return f'<g class="hint">{_text(MARGIN, foot, "Point at a box, tap it, or go there by Tab:", anchor="start")}' + (
        f"{_text(MARGIN, foot + 18, 'what flowed there stands here.', anchor='start')}</g>"
    )


def _text(
    x: float, y: float, words: str, *, anchor: str = "middle", weight: str = "normal", color: str = INK, kind: str = ""
) -> str:
    name = f' class="{kind}"' if kind else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text{name} {place} fill="{color}">{escape(words)}</text>'


def _arrow(x0: float, y0: float, x1: float, y1: float) -> str:
    line = f"M{x0:.1f} {y0:.1f}C{x0:.1f} {(y0 + y1) / 2:.1f} {x1:.1f} {(y0 + y1) / 2:.1f} {x1:.1f} {y1:.1f}"
    return f'<path class="edge" d="{line}" fill="none" stroke="{SOFT}" stroke-width="1.5" marker-end="url(#tip)"/>'
