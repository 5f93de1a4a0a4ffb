"""Take a screenshot of every page: light and dark, 1280 and 390 pixels wide, with Outs and quizzes open.

    mkdocs build --strict && python tools/screenshots.py site pictures
    python tools/screenshots.py site .github --readme    only the one in README.md

Prints the path of each screenshot.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from browsing import FLAGS, find_chromium, serve

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (1280, 390)  # CSS pixels

OPEN_OUTS = 'for (const label of document.querySelectorAll(".tabbed-labels > label:nth-of-type(2)")) label.click()'
OPEN_ALL = f"""() => {{
  {OPEN_OUTS}
  for (const details of document.querySelectorAll("article details")) details.open = true
}}"""
SCROLL_THROUGH = """async () => {
  const frame = () => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)))
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
    scrollTo(0, y)
    await frame(); await frame()
  }
  scrollTo(0, 0)
  await frame()
}"""


def scroll_through(page: Page) -> None:
    """Scroll through a page as a reader does, so that everything that loads when it comes near is loaded."""
    page.evaluate(SCROLL_THROUGH)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(600)  # the header fades back


def take_readme_screenshot(browser: Browser, address: str, folder: Path) -> None:
    """Take the screenshot in README.md: training, with the Out of the block open."""
    tab = browser.new_page(viewport={"width": 1180, "height": 860}, color_scheme="light")
    tab.goto(f"{address}training_a_classifier/")
    tab.evaluate(OPEN_OUTS)
    scroll_through(tab)
    tab.evaluate("document.getElementById('4-train-the-network').scrollIntoView()")
    tab.wait_for_timeout(600)
    tab.screenshot(path=folder / "screenshot.png")


def take_screenshots(tab: Page, address: str, pages: Sequence[str], folder: Path, suffix: str) -> None:
    """Take a screenshot of each page in a browser tab, and print its path."""
    for name in pages:
        tab.goto(address + ("" if name == "." else f"{name}/"))
        tab.evaluate(OPEN_ALL)
        tab.add_style_tag(content=".md-content__inner > * { content-visibility: visible !important }")
        scroll_through(tab)
        file = folder / f"{'index' if name == '.' else name}-{suffix}.png"
        tab.screenshot(path=file, full_page=True)
        print(file)


def main() -> None:
    """Take screenshots of a built site."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="the folder of a built site")
    parser.add_argument("pictures", type=Path, help="the folder to write to")
    parser.add_argument("--readme", action="store_true", help="take only the one in README.md")
    options = parser.parse_args()
    options.pictures.mkdir(parents=True, exist_ok=True)
    pages = sorted(path.parent.relative_to(options.site).as_posix() for path in options.site.rglob("index.html"))
    with serve(options.site) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=[*FLAGS])
        if options.readme:
            take_readme_screenshot(browser, address, options.pictures)
            return
        for scheme, width in itertools.product(SCHEMES, WIDTHS):
            tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            take_screenshots(tab, address, pages, options.pictures, f"{scheme}-{width}")
        browser.close()


if __name__ == "__main__":
    main()
