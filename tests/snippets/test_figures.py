"""The diagrams show what the objects of the run are."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image
from torch import nn

import figures
from page_tests import run


def texts(drawing: figures.Drawing) -> list[str | None]:
    return [element.text for element in ElementTree.fromstring(drawing.svg).iter() if element.tag.endswith("}text")]


def steps(drawing: figures.Drawing) -> list[ElementTree.Element]:
    return [element for element in ElementTree.fromstring(drawing.svg).iter() if element.get("class") == "step"]


def walk(function: Any) -> list[str]:
    return [function.name(), *(name for earlier, _ in function.next_functions if earlier for name in walk(earlier))]


def test_the_graph_has_the_nodes_that_a_walk_over_grad_fn_meets() -> None:
    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    q = 3 * a**3 - b**2
    functions = [name for name in walk(q.grad_fn) if "AccumulateGrad" not in name]
    drawing = figures.graph(q, "Q", {"a": a, "b": b})
    boxes = [text.text for step in steps(drawing) for text in step if text.get("class") in ("node-text", "leaf-text")]
    assert sorted(map(str, boxes)) == sorted([*functions, "a  (leaf)", "b  (leaf)"])


def test_a_node_that_is_used_twice_is_drawn_once() -> None:
    a = torch.ones(2, requires_grad=True)
    b = a * 2
    graph = figures.trace(b + b * b, {"a": a})
    assert sorted(node.label for node in graph.nodes.values()) == ["AddBackward0", "MulBackward0", "MulBackward0", "a"]


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


def test_a_drawing_has_a_title_and_a_description() -> None:
    root = ElementTree.fromstring(figures.network(nn.Sequential(nn.Linear(2, 1)), torch.zeros(1, 2)).svg)
    named = {element.get("id"): element.text for element in root if element.tag.endswith(("title", "desc"))}
    assert named == {"title": "Sequential, layer by layer", "description": "input: 2; 0: linear: 1"}
    assert root.get("aria-labelledby") == "title description"


def test_a_step_describes_the_gradient_that_backward_brings_there() -> None:
    a, b = torch.tensor([2.0, 3.0], requires_grad=True), torch.tensor([6.0, 4.0], requires_grad=True)
    q = 3 * a**3 - b**2
    graph = figures.trace(q, {"a": a, "b": b})
    descriptions = {node.description for node in graph.nodes.values()}
    assert [leaf.grad for leaf in (a, b)] == [None, None], "the leaves are unchanged"
    q.backward(gradient=torch.ones(2))  # the graph is not freed
    assert a.grad is not None
    assert a.grad.tolist() == [36, 81]
    assert {
        ("a = 2, 3, shape (2,)", "gets the gradient 36, 81, shape (2,)"),
        ("SubBackward0", "gets the gradient 1, 1, shape (2,)"),
        ("PowBackward0", "gets the gradient 3, 3, shape (2,)"),
        ("PowBackward0", "gets the gradient -1, -1, shape (2,)"),
    } <= descriptions


def test_a_step_can_be_focused_and_read() -> None:
    a = torch.tensor(2.0, requires_grad=True)
    drawing = figures.graph(a * a, "y", {"a": a})
    assert [(step.get("tabindex"), step.get("aria-label")) for step in steps(drawing)] == [
        ("0", "a = 2; gets the gradient 4"),
        ("0", "MulBackward0; gets the gradient 1"),
    ]
    assert ElementTree.fromstring(drawing.svg).get("role") == "group"


def test_the_chain_is_the_longest_path_and_names_the_shapes_on_it() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))
    result = net(torch.zeros(1, 3, 8, 8)).mean()
    drawing = figures.chain(result, "loss")
    boxes = [str(step.get("aria-label")).partition(";")[0] for step in steps(drawing)]
    assert boxes == ["ConvolutionBackward0", "ReluBackward0", "ViewBackward0", "AddmmBackward0", "MeanBackward0"]
    shapes = [text for text in texts(drawing) if text and ("×" in text or text.isdigit())]
    assert shapes == ["4 × 6 × 6", "4 × 6 × 6", "144", "5"]


def test_a_gallery_is_a_row_of_pixels_for_each_class() -> None:
    red = torch.zeros(2, 3, 4, 5, dtype=torch.uint8)
    red[:, 0] = 255
    row = BeautifulSoup(figures.Gallery({"a<b": red})._repr_html_(), "html.parser").select_one("tr")
    assert row is not None
    assert row.get_text() == "a<b"
    strip = Image.open(BytesIO(base64.b64decode(str(row.select("img")[0]["src"]).partition(",")[2])))
    assert (strip.size, strip.getcolors()) == ((10, 4), [(40, (255, 0, 0))])
