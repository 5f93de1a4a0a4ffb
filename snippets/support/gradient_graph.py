"""The graph of backward functions that autograd recorded for a tensor, and the gradient that arrives at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Node:
    """A backward function, or a leaf tensor that it ends at."""

    label: str
    """The name of the function or the tensor."""
    is_leaf: bool
    gradient_shape: tuple[int, ...]
    """The shape of the gradient that arrives here."""
    description: tuple[str, ...]
    """Lines about the node: its value and its gradient."""


@dataclass(frozen=True)
class Graph:
    """Nodes by id, and the edges of the forward pass."""

    nodes: Mapping[int, Node]
    edges: Sequence[tuple[int, int]]
    root: int
    """The node of the result."""

    def inputs(self, key: int) -> list[int]:
        """Return the nodes that a node was computed from."""
        return [start for start, end in self.edges if end == key]

    def rows(self) -> dict[int, int]:
        """Return the row of each node: leaves at the top, each function below all its inputs."""
        rows: dict[int, int] = {}

        def row(key: int) -> int:
            if key not in rows:
                rows[key] = max((row(each) + 1 for each in self.inputs(key)), default=0)
            return rows[key]

        for key in self.nodes:
            row(key)
        return rows

    def columns(self) -> dict[int, float]:
        """Return the column of each node: leaves next to each other, each function centered below its inputs."""
        columns: dict[int, float] = {}
        leaves = 0

        def column(key: int) -> float:
            nonlocal leaves
            if key not in columns and (inputs := self.inputs(key)):
                columns[key] = sum(column(each) for each in inputs) / len(inputs)
            elif key not in columns:
                columns[key] = leaves
                leaves += 1
            return columns[key]

        column(self.root)
        return columns

    def longest_path(self) -> list[int]:
        """Return the longest chain of functions that ends at the root, in the order of the forward pass."""
        rows = self.rows()
        path = [self.root]
        while functions := [key for key in self.inputs(path[-1]) if not self.nodes[key].is_leaf]:
            path.append(max(functions, key=lambda key: rows[key]))
        return path[::-1]


def trace(result: Tensor, names: Mapping[str, Tensor]) -> Graph:
    """Walk from a tensor's `grad_fn` to its leaves, and send a gradient of ones back through them.

    No `.grad` changes, and the graph is not freed.

    Args:
        result: the tensor that was computed; its graph has not been freed.
        names: leaf tensors by name.

    Raises:
        ValueError: the tensor has no graph.
    """
    functions: dict[int, Any] = {}  # autograd makes its Python objects on demand; ids are valid only while they live
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
    gradients = _gradients(result, functions)
    name_by_id = {id(tensor): name for name, tensor in names.items()}
    nodes = {key: _node(function, gradients[key], name_by_id) for key, function in functions.items()}
    return Graph(nodes, tuple(edges), root)


def _gradients(result: Tensor, functions: Mapping[int, Any]) -> dict[int, Tensor]:
    """Return the gradient that arrives at each function if `result`'s own is ones."""
    leaves = {key: function.variable for key, function in functions.items() if hasattr(function, "variable")}
    gradients: dict[int, Tensor] = {}
    hooks = []
    for key, function in functions.items():

        def record(arriving: tuple[Tensor, ...], key: int = key) -> None:
            gradients[key] = arriving[0]

        hooks.append(function.register_prehook(record))
    try:
        at_leaves = torch.autograd.grad(result, list(leaves.values()), torch.ones_like(result), retain_graph=True)
    finally:
        for hook in hooks:
            hook.remove()
    return gradients | dict(zip(leaves, at_leaves, strict=True))


def _node(function: Any, gradient: Tensor, name_by_id: Mapping[int, str]) -> Node:
    label = function.name().rsplit("::", 1)[-1]
    shape = tuple(gradient.shape)
    arriving = f"gets the gradient {_numbers(gradient)}"
    tensor = getattr(function, "variable", None)
    if tensor is None:
        return Node(label, False, shape, (label, arriving))
    name = name_by_id.get(id(tensor), label)
    return Node(name, True, shape, (f"{name} = {_numbers(tensor)}", arriving))


def _numbers(tensor: Tensor) -> str:
    """Return the numbers of a small tensor or the range of a larger one, and the shape."""
    if tensor.numel() <= 4:
        text = ", ".join(f"{number:.4g}" for number in tensor.flatten().tolist())
    else:
        text = f"{tensor.min().item():.2g} to {tensor.max().item():.2g}"
    return f"{text}, shape {tuple(tensor.shape)}" if tensor.shape else text
