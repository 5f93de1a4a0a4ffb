"""Draw a gradient as what it is on a curve: the slope of the line that touches it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import torch
from torch import Tensor

REACH = 0.8  # how far a tangent goes to either side


def slopes(function: Callable[[Tensor], Tensor], points: Sequence[float]) -> list[float]:
    """Return the derivative of a function of one number at some points, as autograd finds it."""
    x = torch.tensor(points, requires_grad=True)
    (gradient,) = torch.autograd.grad(function(x).sum(), x)
    found: list[float] = gradient.tolist()
    return found


def show_tangents(
    function: Callable[[Tensor], Tensor], name: str, span: tuple[float, float], points: Sequence[float]
) -> None:
    """Show a curve with its tangents at some points, each with its slope and the direction of a step against it."""
    x = torch.linspace(*span, 200)
    plt.figure(label=f"The curve of {name} with tangents: a step against the gradient goes downhill from either side")
    plt.plot(x, function(x), color="gray", label=name)
    for number, (point, slope) in enumerate(zip(points, slopes(function, points), strict=True)):
        value, color = function(torch.tensor(point)).item(), f"C{number}"
        ends = torch.tensor([point - REACH, point + REACH])
        plt.plot(ends, value + slope * (ends - point), color=color, label=f"gradient at {point:g}: {slope:.1f}")
        plt.plot(point, value, "o", color=color)
        step = -0.25 * slope  # along the axis
        plt.annotate("", (point + step, value), (point, value), arrowprops={"arrowstyle": "->", "color": color})
    plt.xlabel("a parameter")
    plt.ylabel("the error")
    plt.title("A gradient is a slope")
    plt.legend(fontsize=8, frameon=False)
    plt.show()
