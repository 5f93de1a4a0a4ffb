"""The site as it is published: formulas, links, requests, and notes about its data."""

from __future__ import annotations

import pydoc
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from site_helpers import ROOT, data_kind, parse

LESSONS = ("tensors", "autograd", "neural_networks", "training_a_classifier", "training_on_gpu")
PAGES = (
    "index.html",
    *(f"{page}/index.html" for page in LESSONS),
)


def soup(site: Path, page: str) -> BeautifulSoup:
    return parse(site / page)


def test_every_formula_is_mathml(site: Path) -> None:
    page = soup(site, "autograd/index.html")
    assert len(page.select("math[display=block]")) == 6
    assert len(page.select("math:not([display])")) > 10
    assert "$" not in "".join(article.get_text() for article in page.select("article"))


@pytest.mark.parametrize("page", PAGES)
def test_no_page_requests_anything_from_another_host(site: Path, page: str) -> None:
    urls = [
        str(tag.get(name))
        for tag in soup(site, page).find_all(["script", "link", "img", "iframe", "source", "image", "use"])
        for name in ("src", "href", "xlink:href")
        if tag.get(name) and not (tag.name == "link" and tag.get("rel") == ["canonical"])
    ]
    assert urls
    assert [url for url in urls if re.match(r"(https?:)?//", url)] == []


@pytest.mark.parametrize("page", PAGES)
def test_ids_are_unique_and_links_within_the_site_have_a_target(site: Path, page: str) -> None:
    parsed = soup(site, page)
    ids = [tag["id"] for tag in parsed.find_all(id=True)]
    assert sorted(ids) == sorted(set(ids))
    for link in parsed.select("article a[href]"):
        href = str(link["href"])
        if not href.startswith(("http", "mailto")):
            path, _, anchor = href.partition("#")
            target = (site / page).parent / path if path else site / page
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), href
            assert not anchor or parse(target).find(id=anchor), href


@pytest.mark.parametrize(
    ("name", "page"), [("resnet18", "autograd"), ("CIFAR-10", "training_a_classifier"), ("CIFAR-10", "training_on_gpu")]
)
def test_placeholder_data_is_marked_wherever_it_shows(site: Path, name: str, page: str) -> None:
    is_placeholder = data_kind(name.lower().replace("-", "")) == "placeholder"
    parsed = soup(site, f"{page}/index.html")
    outs = [out for out in parsed.select(".codeout") if name in out.get_text()]
    assert outs
    assert [bool(out.select(".codeout-placeholder")) for out in outs] == [is_placeholder] * len(outs)
    assert all(f"{name}: " in line.get_text() for out in outs for line in out.select(".codeout-run summary"))
    assert bool(parsed.select(".codeout-sentence + .codeout-placeholder")) == is_placeholder, "under the title"


def test_values_in_text_that_are_based_on_placeholder_data_are_marked(site: Path) -> None:
    values = soup(site, "training_a_classifier/index.html").select(".codeout-named")
    assert len(values) >= 4
    marked = [value for value in values if value.select(".codeout-placeholder-mark")]
    assert marked == (values if data_kind("cifar10") == "placeholder" else [])


@pytest.mark.parametrize("page", LESSONS)
def test_the_names_that_a_page_introduces_exist_and_have_links(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    names = re.findall(r"^\| \[`([\w.]+)`\]\(https://docs\.pytorch\.org/docs/stable/(\S+)\)", text, re.MULTILINE)
    assert len(names) >= 5
    for name, url in names:
        assert pydoc.locate(name) is not None, name
        assert name in url or url == f"{name.rsplit('.', 1)[1]}.html", url
    snippet = (ROOT / "snippets" / f"{page}.py").read_text()
    assert [name for name, _ in names if name.rsplit(".", 1)[1] not in snippet] == [], "its snippet uses them"


@pytest.mark.parametrize("page", LESSONS)
def test_an_exercise_has_a_folded_answer_that_ran(site: Path, page: str) -> None:
    answers = soup(site, f"{page}/index.html").select("details.success")
    assert len(answers) >= 3
    for answer in answers:
        assert answer.select_one(".codeout-stream") is not None
        assert not answer.has_attr("open")
