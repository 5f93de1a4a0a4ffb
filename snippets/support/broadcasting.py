"""Draw how broadcasting stretches two small tensors to a common shape, with their own numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from svg import MARGIN, Drawing, box, drawing, label

CELL = 34  # units
GAP = 36
REPEATED = 0.35  # opacity


def broadcasting(one: Tensor, other: Tensor) -> Drawing:
    """Draw two tensors and their sum; what is repeated is pale.

    Args:
        one: of at most two dimensions.
        other: likewise; the shapes can be broadcast.

    Raises:
        RuntimeError: they cannot.
    """
    shape = torch.broadcast_shapes(one.shape, other.shape)
    total = (one + other).expand(shape)
    rows, columns = (1, *shape)[-2:]
    width = columns * CELL
    left = [MARGIN + number * (width + GAP) for number in range(3)]
    parts = []
    for x, tensor, sign in zip(left, (one, other, total), ("", "+", "="), strict=True):
        parts += _grid(tensor, (rows, columns), x)
        parts.append(label(x - GAP / 2, MARGIN + rows * CELL / 2 + 5, sign, weight="bold"))
        parts.append(label(x + width / 2, MARGIN + rows * CELL + 20, _shape(tensor)))
    description = f"{_shape(one)} and {_shape(other)} are both stretched to {_shape(total)}, and added."
    return drawing(left[2] + width + MARGIN, rows * CELL + 2 * MARGIN + 24, "Broadcasting", description, parts)


def _grid(tensor: Tensor, size: tuple[int, int], x: float) -> list[str]:
    rows, columns = size
    own_rows, own_columns = (1, 1, *tensor.shape)[-2:]
    values = tensor.expand(size)
    parts = []
    for row in range(rows):
        for column in range(columns):
            left, top = x + column * CELL, MARGIN + row * CELL
            is_own = row < own_rows and column < own_columns
            cell = box(left, top, CELL, CELL, "node")
            number = label(left + CELL / 2, top + CELL / 2 + 5, f"{values[row, column].item():g}", kind="node-text")
            parts.append(f'<g opacity="{1 if is_own else REPEATED}">{cell}{number}</g>')
    return parts


def _shape(tensor: Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))})"
