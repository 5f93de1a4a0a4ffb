"""The steps of a network's forward pass, with the shapes that they really had."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

NAMES = {
    "conv2d": "convolution",
    "relu": "relu",
    "max_pool2d": "max pooling",
    "flatten": "flatten",
    "linear": "linear",
}


@dataclass(frozen=True)
class Stage:
    """One step of a forward pass."""

    name: str
    shape: tuple[int, ...]
    """The shape of its result, without the batch."""


def stages(net: nn.Module, example: Tensor) -> list[Stage]:
    """Run a network once, and return the input and each step."""
    recorder = _Recorder(net)
    with torch.no_grad(), recorder:
        net(example)
    return [Stage("input", tuple(example.shape[1:])), *recorder.stages]


class _Recorder(TorchFunctionMode):
    """Records each function of a forward pass with the shape of its result."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self._layers = {id(tensor): name.rpartition(".")[0] for name, tensor in net.named_parameters()}
        self.stages: list[Stage] = []

    def __torch_function__(
        self, function: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", "")
        if name in NAMES and isinstance(result, Tensor):
            layer = next((f"{self._layers[id(arg)]}: " for arg in args if id(arg) in self._layers), "")
            self.stages.append(Stage(layer + NAMES[name], tuple(result.shape[1:])))
        return result
