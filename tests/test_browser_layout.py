"""Accessibility and layout of the pages in a real browser, on wide and narrow screens, with and without JavaScript."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browser_fixtures import CODE_BOTTOM_AND_OUT_TOP, PAGES, Visit, block_of, box_of
from screenshots import OPEN_ALL, scroll_through

IS_LAID_OUT = """[...document.querySelectorAll(".md-content__inner > *")].every(part =>
  part.style.contentVisibility === "visible")"""
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],  # describing all elements that pass takes as long as the checks
}


# At full width, at 200 %, and as narrow as WCAG asks; folded parts and Outs are checked where they are opened.
@pytest.mark.parametrize(
    ("width", "scheme", "opened"),
    [(1280, "light", False), (320, "dark", True)],
)
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_no_violation_and_no_page_scrolls_sideways(
    visit: Visit, path: str, width: int, scheme: str, opened: bool
) -> None:
    page = visit(path, viewport={"width": width, "height": 900}, color_scheme=scheme)
    if opened:
        page.evaluate(OPEN_ALL)
    scroll_through(page)
    results = Axe().run(page, options=RULES)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("path", PAGES)
def test_nothing_moves_while_a_page_loads(visit: Visit, path: str) -> None:
    page = visit(path, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.wait_for_function(IS_LAID_OUT)
    shift = """new Promise(resolve => new PerformanceObserver(list =>
      resolve(list.getEntries().map(entry => entry.value))).observe({ type: "layout-shift", buffered: true })
      || setTimeout(() => resolve([]), 300))"""
    assert sum(page.evaluate(shift)) < 0.005


@pytest.mark.parametrize("path", PAGES)
def test_the_first_paint_waits_for_no_script(visit: Visit, path: str) -> None:
    page = visit(path)
    scripts = (
        "[...document.querySelectorAll('body script[src]')].map(script => [script.src, script.defer || script.async])"
    )
    deferred = dict(page.evaluate(scripts))
    assert any("/bundle." in script for script in deferred)
    assert all(deferred.values()), deferred


@pytest.mark.parametrize("anchor", ["new-names", "out-optim", "exercises"])
def test_a_link_to_an_anchor_scrolls_there(visit: Visit, anchor: str) -> None:
    page = visit(f"neural_networks/#{anchor}", viewport={"width": 390, "height": 844})
    page.wait_for_timeout(1000)
    top = page.evaluate(f"document.getElementById('{anchor}').getBoundingClientRect().top")
    end = page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 2")
    assert 40 < top < 130 or end


def test_going_back_restores_the_scroll_position(visit: Visit) -> None:
    page = visit("training_a_classifier/")
    page.wait_for_function(IS_LAID_OUT)
    place = page.locator("#exercises")
    place.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    before = box_of(place)["y"]
    page.wait_for_load_state("networkidle")
    page.goto(page.url.partition("#")[0].replace("training_a_classifier", "autograd"))
    page.go_back()
    page.wait_for_timeout(1000)
    page.wait_for_load_state("networkidle")
    assert abs(box_of(place)["y"] - before) < 60


def test_on_a_phone_text_wraps_and_tensors_scroll(visit: Visit) -> None:
    page = visit("training_a_classifier/", viewport={"width": 390, "height": 844})
    page.evaluate(OPEN_ALL)
    wide = "box => box.scrollWidth - box.clientWidth"
    assert block_of(page, "accuracy").locator(".codeout-stream code").evaluate(wide) == 0
    page.goto(page.url.replace("training_a_classifier", "neural_networks"))
    page.evaluate(OPEN_ALL)
    assert block_of(page, "backprop").locator(".codeout-stream code").first.evaluate(wide) > 0


def test_without_javascript_every_out_is_below_its_code(visit: Visit) -> None:
    for path in PAGES[:5]:
        page = visit(path, java_script_enabled=False)
        blocks = page.locator(".codeout-block:has(.tabbed-set):not(details *)").all()
        for block in blocks:
            code, out = block.locator(".tabbed-block").all()
            assert code.is_visible() and out.is_visible()
            assert not block.locator(".tabbed-labels").is_visible()
            bottom, top = block.evaluate(CODE_BOTTOM_AND_OUT_TOP)
            assert path == "" or top >= bottom, "on the home page they are next to each other"
        assert blocks
    page = visit("training_a_classifier/", java_script_enabled=False)
    expect(page.locator(".try")).to_be_hidden()
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.locator("noscript p")).to_have_text("The network computes in the browser; that takes JavaScript.")


def test_the_first_view_of_a_page_loads_at_most_400_kb(visit: Visit) -> None:
    for path in PAGES:
        page = visit(path, viewport={"width": 412, "height": 823})
        page.wait_for_load_state("networkidle")
        sizes = """performance.getEntries().filter(entry => "transferSize" in entry).map(entry => entry.transferSize)"""
        assert 20_000 < sum(page.evaluate(sizes)) < 400_000, path
