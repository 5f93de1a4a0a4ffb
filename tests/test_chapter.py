"""The chapter as it is published: every row of the source's inventory has its block and an Out of the right shape."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from conftest import ROOT

NUMBER = r"-?\d+\.\d+"
SOURCE = r"\((original|mirror|stand-in)\)"

# row of the inventory: page, section of its snippet, what its Out must match; None: it shows no Out
ROWS = {
    "A1": ("autograd", "model", rf"resnet18 {SOURCE}: .+\n11689512 parameters"),
    "A2": ("autograd", "forward", None),
    "A3": ("autograd", "backward", None),
    "A4": ("autograd", "optimizer", None),
    "A5": ("autograd", "step", None),
    "A6": ("autograd", "leaves", None),
    "A7": ("autograd", "q", None),
    "A8": ("autograd", "q_backward", None),
    "A9": ("autograd", "check", r"(tensor\(\[True, True\]\)\n?){2}"),
    "AF1": ("autograd", "graph", r".*PowBackward0.*SubBackward0.*"),
    "A10": ("autograd", "tracking", r"Does `a` require gradients\? : False\nDoes `b` require gradients\?: True"),
    "A11": ("autograd", "freeze", None),
    "A12": ("autograd", "head", None),
    "A13": ("autograd", "only_head", None),
    "N1": ("neural_networks", "net", r"Net\(\n  \(conv1\): Conv2d\(1, 6.*\n(.*\n){4}\)"),
    "NF1": ("neural_networks", "diagram", r".*6 × 28 × 28.*16 × 5 × 5.*"),
    "N2": ("neural_networks", "parameters", r"10\ntorch\.Size\(\[6, 1, 5, 5\]\)"),
    "N3": ("neural_networks", "forward", rf"tensor\(\[\[\s*({NUMBER},?\s*){{10}}\]\], grad_fn=<AddmmBackward0>\)"),
    "N4": ("neural_networks", "random_backward", None),
    "N5": ("neural_networks", "loss", rf"tensor\({NUMBER}, grad_fn=<MseLossBackward0>\)"),
    "N6": ("neural_networks", "chain", r"ConvolutionBackward0\n-> ReluBackward0\n(-> \w+\n)*-> MseLossBackward0"),
    "N7": ("neural_networks", "steps_back", r"<MseLoss.*\n<Addmm.*\n<AccumulateGrad.*\n<ReluBackward0.*"),
    "N8": (
        "neural_networks",
        "backprop",
        r"conv1\.bias\.grad before backward\nNone\n"
        rf"conv1\.bias\.grad after backward\ntensor\(\[\s*({NUMBER},?\s*){{6}}\]\)",
    ),
    "N9": ("neural_networks", "update", None),
    "N10": ("neural_networks", "optim", None),
    "K1": ("training_a_classifier", "imports", None),
    "K2": ("training_a_classifier", "dataset", rf"CIFAR-10 {SOURCE}: .+\n\d+ training images, \d+ test images"),
    "KF1": ("training_a_classifier", "samples", r".*plane.*truck.*"),
    "K3": ("training_a_classifier", "batch", r"\s*(\w+ *){4}"),
    "K4": ("training_a_classifier", "net", None),
    "K5": ("training_a_classifier", "optimizer", None),
    "K6": ("training_a_classifier", "train", r"(\[[12], +\d+\] loss: \d\.\d{3}\n){2,12}Finished Training"),
    "K7": ("training_a_classifier", "save", None),
    "K8": ("training_a_classifier", "test_batch", r"\s*GroundTruth: ( \w+ *){4}"),
    "K9": ("training_a_classifier", "load", r"<All keys matched successfully>"),
    "K10": ("training_a_classifier", "outputs", None),
    "K11": ("training_a_classifier", "predicted", r"Predicted: ( \w+ *){4}"),
    "K12": ("training_a_classifier", "accuracy", r"Accuracy of the network on the \d+ test images: \d\d %"),
    "K13": ("training_a_classifier", "class_accuracy", r"(Accuracy for class: \w+ +is \d+\.\d %\n?){10}"),
    "G1": ("training_on_gpu", "device", r"cpu|cuda:\d|mps:\d|xpu:\d"),
    "G2": ("training_on_gpu", "move", None),
    "G3": ("training_on_gpu", "batch", None),
}
PICTURES = {  # sections that show a matplotlib figure; a pattern for its words
    ("training_a_classifier", "samples"): "The first ten training images of each class",
    ("training_a_classifier", "batch"): "Four training images",
    ("training_a_classifier", "test_batch"): "The first four test images",
    ("training_a_classifier", "curve"): "Loss while training; loss, mean of 500 steps against steps of 4 images",
    ("training_a_classifier", "beliefs"): "cat|plane",
    ("training_a_classifier", "bars"): "Accuracy of each class",
    ("training_a_classifier", "confusion"): "taken for",
    ("training_a_classifier", "filters"): "six filters",
    ("training_on_gpu", "chart"): "milliseconds against width of the network",
}
PAGES = (
    "index.html",
    *(f"{page}/index.html" for page in ("autograd", "neural_networks", "training_a_classifier", "training_on_gpu")),
)


def soup(site: Path, page: str) -> BeautifulSoup:
    return BeautifulSoup((site / page).read_text(encoding="utf8"), "html.parser")


def out(site: Path, page: str, section: str) -> Tag | None:
    """Return the Out of a section, found by the line of the snippet where the section starts."""
    lines = (ROOT / "snippets" / f"{page}.py").read_text(encoding="utf8").splitlines()
    line = lines.index(f"# --8<-- [start:{section}]") + 2
    return soup(site, f"{page}/index.html").find(class_="codeout", attrs={"data-origin": f"snippets/{page}.py:{line}"})


def words(tag: Tag) -> str:
    """Return what an Out shows, without its run line and warnings."""
    for extra in tag.select(".codeout-run, .codeout-standin, svg title, svg desc"):
        extra.decompose()
    return tag.get_text().strip("\n")


def visible(code: str) -> str:
    return "\n".join(line for line in code.split("\n") if "markdown-exec: hide" not in line).strip()


def section_code(page: str, section: str) -> str:
    text = (ROOT / "snippets" / f"{page}.py").read_text(encoding="utf8")
    found = re.search(rf"# --8<-- \[start:{section}\]\n(.*?)# --8<-- \[end:{section}\]", text, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("row", ROWS)
def test_a_row_of_the_inventory_is_on_its_page_with_its_out(site: Path, row: str) -> None:
    page, section, expected = ROWS[row]
    shown = out(site, page, section)
    if expected is None:
        assert shown is None
    else:
        assert shown is not None
        assert re.fullmatch(expected, words(shown), re.DOTALL if row in ("AF1", "NF1", "KF1") else 0), words(shown)


@pytest.mark.parametrize("row", [row for row in ROWS if row not in ("AF1", "NF1", "KF1")])
def test_the_code_of_a_row_is_shown_as_it_ran(site: Path, row: str) -> None:
    page, section, _ = ROWS[row]
    shown = [code.get_text().strip() for code in soup(site, f"{page}/index.html").select(".highlight code")]
    assert visible(section_code(page, section)) in shown


@pytest.mark.parametrize(("page", "section"), PICTURES)
def test_a_picture_is_svg_with_words(site: Path, page: str, section: str) -> None:
    shown = out(site, page, section)
    assert shown is not None
    svg = shown.select_one("figure.codeout-figure > svg[role=img]")
    assert svg is not None
    assert re.search(PICTURES[page, section], str(svg["aria-label"]))


@pytest.mark.parametrize(("page", "section"), [("autograd", "graph"), ("neural_networks", "diagram")])
def test_a_diagram_is_svg_with_title_and_description(site: Path, page: str, section: str) -> None:
    shown = out(site, page, section)
    assert shown is not None
    svg = shown.select_one("svg[role=img]")
    assert svg is not None
    named = [svg.find(id=name) for name in str(svg["aria-labelledby"]).split()]
    assert all(tag is not None and tag.get_text() for tag in named)


def test_every_formula_of_the_source_is_mathml(site: Path) -> None:
    shown = soup(site, "autograd/index.html")
    assert len(shown.select("math[display=block]")) == 6
    assert "$" not in shown.select_one("article").get_text().replace("$ ", "")
    assert "arithmatex" in str(shown)


@pytest.mark.parametrize("page", PAGES)
def test_no_page_asks_another_host_for_anything(site: Path, page: str) -> None:
    asked = [
        str(tag.get(name))
        for tag in soup(site, page).find_all(["script", "link", "img", "iframe", "source", "image", "use"])
        for name in ("src", "href", "xlink:href")
        if tag.get(name) and not (tag.name == "link" and tag.get("rel") == ["canonical"])
    ]
    assert asked
    assert [url for url in asked if re.match(r"(https?:)?//", url)] == []


@pytest.mark.parametrize("page", PAGES)
def test_ids_are_unique_and_links_within_the_site_arrive(site: Path, page: str) -> None:
    shown = soup(site, page)
    ids = [tag["id"] for tag in shown.find_all(id=True)]
    assert sorted(ids) == sorted(set(ids))
    for link in shown.select("article a[href]"):
        href = str(link["href"])
        if not href.startswith(("http", "mailto")):
            path, _, anchor = href.partition("#")
            target = (site / page).parent / path if path else site / page
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), href
            assert not anchor or BeautifulSoup(target.read_text(encoding="utf8"), "html.parser").find(id=anchor), href


def test_a_stand_in_is_told_on_every_out_that_it_led_to(site: Path) -> None:
    import json

    for name, page in (("resnet18", "autograd"), ("cifar10", "training_a_classifier")):
        kind = json.loads((ROOT / "data" / f"{name}.json").read_text(encoding="utf8"))["kind"]
        section = {"autograd": "model", "training_a_classifier": "accuracy"}[page]
        shown = out(site, page, section)
        assert shown is not None
        assert bool(shown.select(".codeout-standin")) == (kind == "stand-in")
        assert shown.select_one(".codeout-run summary").get_text().count("CIFAR-10" if name == "cifar10" else name)
