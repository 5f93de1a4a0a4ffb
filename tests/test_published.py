"""The site as it is published: formulas, links, requests, and what is said of data."""

from __future__ import annotations

import json
import pydoc
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from site_helpers import ROOT

PAGES = (
    "index.html",
    *(f"{page}/index.html" for page in ("autograd", "neural_networks", "training_a_classifier", "training_on_gpu")),
)


def soup(site: Path, page: str) -> BeautifulSoup:
    return BeautifulSoup((site / page).read_text(encoding="utf8"), "html.parser")


def test_every_formula_of_the_source_is_mathml(site: Path) -> None:
    shown = soup(site, "autograd/index.html")
    assert len(shown.select("math[display=block]")) == 6
    assert len(shown.select("math:not([display])")) > 10
    assert "$" not in "".join(article.get_text() for article in shown.select("article"))


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


@pytest.mark.parametrize(
    ("name", "page"), [("resnet18", "autograd"), ("CIFAR-10", "training_a_classifier"), ("CIFAR-10", "training_on_gpu")]
)
def test_data_is_told_on_every_out_that_it_led_to(site: Path, name: str, page: str) -> None:
    file = ROOT / "data" / f"{name.lower().replace('-', '')}.json"
    kind = json.loads(file.read_text(encoding="utf8"))["kind"]
    outs = [out for out in soup(site, f"{page}/index.html").select(".codeout") if name in out.get_text()]
    assert outs
    assert [bool(out.select(".codeout-placeholder")) for out in outs] == [kind == "placeholder"] * len(outs)
    assert all(f"{name}: " in line.get_text() for out in outs for line in out.select(".codeout-run summary"))


@pytest.mark.parametrize("page", ["autograd", "neural_networks", "training_a_classifier", "training_on_gpu"])
def test_the_names_of_a_page_exist_and_their_links_name_them(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    names = re.findall(r"^\| \[`([\w.]+)`\]\(https://docs\.pytorch\.org/docs/stable/(\S+)\)", text, re.MULTILINE)
    assert len(names) >= 5
    for name, url in names:
        assert pydoc.locate(name) is not None, name
        assert name in url or url == f"{name.rsplit('.', 1)[1]}.html", url
    snippet = (ROOT / "snippets" / f"{page}.py").read_text()
    assert [name for name, _ in names if name.rsplit(".", 1)[1] not in snippet] == [], "they are new on this page"


@pytest.mark.parametrize("page", ["autograd", "neural_networks", "training_a_classifier", "training_on_gpu"])
def test_an_exercise_has_a_folded_answer_that_ran(site: Path, page: str) -> None:
    soup = BeautifulSoup((site / page / "index.html").read_text(), "html.parser")
    answers = soup.select("details.success")
    assert len(answers) >= 3
    for answer in answers:
        assert answer.select_one(".codeout-stream") is not None
        assert not answer.has_attr("open")
