"""Fixtures of the tests in a browser, and ways to find a block on a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page, Request, sync_playwright

from browsing import FLAGS, find_chromium, serve

PAGES = (
    "",
    "tensors/",
    "autograd/",
    "neural_networks/",
    "training_a_classifier/",
    "training_on_gpu/",
    "outputs/",
    "maintaining/",
)
CODE_BOTTOM_AND_OUT_TOP = """block => {
  const [code, out] = [...block.querySelectorAll(".tabbed-block")].map(tab => tab.getBoundingClientRect())
  return [code.bottom, out.top]
}"""

Visit = Callable[..., Page]
"""Opens a page: path, address of the site, settings of the browser."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        path = find_chromium()
    except FileNotFoundError as problem:
        pytest.fail(str(problem))
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=[*FLAGS])
        yield started
        started.close()


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    with serve(site) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """Return a function that opens a page of the site; fail if the page logged anything or asked another host."""
    problems: list[str] = []
    contexts = []

    def visit(path: str = "", url: str = address, **settings: object) -> Page:
        def check_host(request: Request) -> None:
            if not request.url.startswith((url, "data:", "blob:")):
                problems.append(f"{path}: asked {request.url}")

        def check_failure(request: Request) -> None:
            if request.failure != "net::ERR_ABORTED":  # which means that the reader had gone on to another page
                problems.append(f"{path}: {request.url} failed")

        settings = {"viewport": {"width": 1280, "height": 900}, **settings}
        context = browser.new_context(**settings)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: problems.append(f"{path}: {message.text}"))
        page.on("pageerror", lambda error: problems.append(f"{path}: {error}"))
        page.on("request", check_host)
        page.on("requestfailed", check_failure)
        page.goto(url + path)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert problems == []


def block_of(page: Page, section: str) -> Locator:
    """Return the block of a section: its code and its Out."""
    return page.locator(f"#out-{section}")


def box_of(element: Locator) -> FloatRect:
    """Return where an element is on the screen."""
    box = element.bounding_box()
    assert box is not None, "it is not on the page"
    return box
