"""The diagrams are what the objects are."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image
from torch import nn

import figures
from page_tests import run


def texts(drawing: figures.Drawing) -> list[str]:
    return [element.text for element in ElementTree.fromstring(drawing.svg).iter() if element.tag.endswith("}text")]


def walk(function: object) -> list[str]:
    return [function.name(), *(name for earlier, _ in function.next_functions if earlier for name in walk(earlier))]


def test_the_graph_has_the_nodes_that_a_walk_over_grad_fn_meets() -> None:
    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    q = 3 * a**3 - b**2
    walked = [name for name in walk(q.grad_fn) if "AccumulateGrad" not in name]
    drawn = figures.graph(q, "Q", {"a": a, "b": b})
    boxes = [text.text for step in steps(drawn) for text in step if text.get("class") in ("node-text", "leaf-text")]
    assert sorted(boxes) == sorted([*walked, "a  (leaf)", "b  (leaf)"])


def test_a_node_that_is_used_twice_is_drawn_once() -> None:
    a = torch.ones(2, requires_grad=True)
    b = a * 2
    found = figures.trace(b + b * b, {"a": a})
    assert sorted(node.label for node in found.nodes.values()) == ["AddBackward0", "MulBackward0", "MulBackward0", "a"]


def test_a_tensor_without_history_is_refused() -> None:
    with pytest.raises(ValueError, match="was not computed"):
        figures.trace(torch.ones(2), {})


def test_the_network_is_drawn_with_the_shapes_of_a_real_forward_pass() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5))
    assert texts(figures.network(net, torch.zeros(1, 3, 8, 8))) == [
        *("input", "3 × 8 × 8"),
        *("0: convolution, relu", "4 × 6 × 6"),
        *("max pooling", "4 × 3 × 3"),
        *("flatten", "36"),
        *("4: linear", "5"),
    ]


def test_diagrams_of_a_script_are_files(placeholders: Path) -> None:
    run("autograd", placeholders)
    assert (placeholders / "figures" / "autograd-graph.svg").read_text(encoding="utf8").startswith("<svg")


def test_a_drawing_has_words() -> None:
    root = ElementTree.fromstring(figures.network(nn.Sequential(nn.Linear(2, 1)), torch.zeros(1, 2)).svg)
    said = {element.tag.split("}")[1]: element.text for element in root if element.tag.endswith(("title", "desc"))}
    assert said == {"title": "Sequential, layer by layer", "desc": "input: 2; 0: linear: 1"}


def steps(drawing: figures.Drawing) -> list[ElementTree.Element]:
    return [element for element in ElementTree.fromstring(drawing.svg).iter() if element.get("class") == "step"]


def test_a_step_tells_the_gradient_that_backward_brings_there() -> None:
    a, b = torch.tensor([2.0, 3.0], requires_grad=True), torch.tensor([6.0, 4.0], requires_grad=True)
    q = 3 * a**3 - b**2
    found = figures.trace(q, {"a": a, "b": b})
    told = {node.told for node in found.nodes.values()}
    assert a.grad is None, "nothing is left in the leaves"
    q.backward(gradient=torch.ones(2))  # the graph is as it was
    assert ("a = 2, 3, shape (2,)", "gets the gradient 36, 81, shape (2,)") in told
    assert a.grad.tolist() == [36, 81]
    assert ("SubBackward0", "gets the gradient 1, 1, shape (2,)") in told
    assert ("PowBackward0", "gets the gradient 3, 3, shape (2,)") in told
    assert ("PowBackward0", "gets the gradient -1, -1, shape (2,)") in told


def test_a_step_can_be_focused_and_read() -> None:
    a = torch.tensor(2.0, requires_grad=True)
    drawn = figures.graph(a * a, "y", {"a": a})
    assert [(one.get("tabindex"), one.get("aria-label")) for one in steps(drawn)] == [
        ("0", "a = 2; gets the gradient 4"),
        ("0", "MulBackward0; gets the gradient 1"),
    ]
    assert ElementTree.fromstring(drawn.svg).get("role") == "group"


def test_the_chain_is_the_longest_way_and_names_the_shapes_on_it() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))
    result = net(torch.zeros(1, 3, 8, 8)).mean()
    drawn = figures.chain(result, "loss")
    boxes = [one.get("aria-label").partition(";")[0] for one in steps(drawn)]
    assert boxes == ["ConvolutionBackward0", "ReluBackward0", "ViewBackward0", "AddmmBackward0", "MeanBackward0"]
    assert [text for text in texts(drawn) if "×" in text or text.isdigit()] == ["4 × 6 × 6", "4 × 6 × 6", "144", "5"]


def test_a_gallery_is_a_row_of_pixels_for_each_class() -> None:
    red = torch.zeros(2, 3, 4, 5, dtype=torch.uint8)
    red[:, 0] = 255
    row = BeautifulSoup(figures.Gallery({"a<b": red})._repr_html_(), "html.parser").tr
    assert row.th.get_text() == "a<b"
    strip = Image.open(BytesIO(base64.b64decode(row.img["src"].partition(",")[2])))
    assert (strip.size, strip.getcolors()) == ((10, 4), [(40, (255, 0, 0))])
