"""The trained network for the reader's browser: its weights, images to try, and PyTorch's outputs for them.

The HTML has one `data:` URL, a script that sets `tutorialNetwork`. `docs/assets/network.js` loads it when the reader
scrolls near, and computes. Weights are float32, little-endian, in base64, in the order of `layers`.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from html import escape
from typing import Any

import torch
from torch import Tensor, nn

PICTURES = 8
BUTTON = (
    '<button type="button" data-picture="{index}" aria-pressed="false" aria-label="Test image {number}, {name}">'
    '<canvas width="32" height="32"></canvas></button>'
)
BAR = "<dt>{name}</dt><dd><span></span><output>&nbsp;</output></dd>"
FORM = (
    '<div class="try needs-script" data-weights="{url}">'
    '<div class="try-pictures" role="group" aria-label="Test images">{buttons}</div>'
    '<div class="try-own"><label class="md-button">Your picture<input type="file" accept="image/*"></label>'
    '<label class="md-button">Paint<input type="color" value="#d23b2f" aria-label="Color to paint with"></label>'
    '<button type="button" class="md-button try-again">Undo paint</button>'
    '<button type="button" class="md-button try-clear">Empty</button></div>'
    '<div class="try-both"><figure><canvas class="try-canvas" width="192" height="192" role="img" '
    'aria-label="The picture; paint on it, or drop another one here"></canvas>'
    "<figcaption>Paint here, or drop a picture</figcaption></figure>"
    '<figure><canvas class="try-seen" width="32" height="32" role="img" aria-label="The same in 32 by 32 pixels">'
    "</canvas><figcaption>What the network sees</figcaption></figure>"
    '<dl class="try-bars">{bars}</dl></div>'
    '<p class="try-says" role="status">Choose a picture.</p></div>'
    "<noscript><p>The network computes in the browser; that takes JavaScript.</p></noscript>"
)


def payload(net: nn.Module, pictures: Tensor, labels: Sequence[int], classes: Sequence[str]) -> dict[str, Any]:
    """Return the values that the browser needs, for JSON.

    Args:
        net: conv, pool, conv, pool and three linear layers, as on the page.
        pictures: network inputs, (N, 3, 32, 32), from -1 to 1.
        labels: their true classes.
        classes: the names of all classes.
    """
    parameters = {name: parameter.detach() for name, parameter in net.named_parameters()}
    with torch.no_grad():
        logits = net(pictures)
    return {
        "layers": {name: list(parameter.shape) for name, parameter in parameters.items()},
        "weights": _base64(torch.cat([parameter.flatten() for parameter in parameters.values()]).numpy().astype("<f4")),
        "pictures": _base64(((pictures + 1) * 127.5).round().to(torch.uint8).numpy()),
        "labels": list(labels),
        "logits": logits.tolist(),
        "classes": list(classes),
    }


def show(net: nn.Module, dataset: Sequence[tuple[Tensor, int]], classes: Sequence[str]) -> None:
    """Show a form to try the network on the first pictures of a data set, or on others; do nothing in a script."""
    ipython = sys.modules.get("IPython")  # loaded while a site is built
    if ipython and ipython.get_ipython():
        examples = [dataset[number] for number in range(PICTURES)]
        labels = [label for _, label in examples]
        network = payload(net, torch.stack([picture for picture, _ in examples]), labels, classes)
        ipython.display.display(ipython.display.HTML(form(network)))


def form(network: dict[str, Any]) -> str:
    """Return the HTML of the form; it is complete before the weights load, so that nothing moves when they do."""
    script = f"window.tutorialNetwork = {json.dumps(network)}".encode()
    url = f"data:text/javascript;base64,{base64.b64encode(script).decode()}"
    names = [escape(network["classes"][label]) for label in network["labels"]]
    buttons = "".join(BUTTON.format(index=index, number=index + 1, name=name) for index, name in enumerate(names))
    bars = "".join(BAR.format(name=escape(name)) for name in network["classes"])
    return FORM.format(url=url, buttons=buttons, bars=bars)


def _base64(numbers: Any) -> str:
    return base64.b64encode(numbers.tobytes()).decode()
