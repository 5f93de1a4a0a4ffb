"""Take a picture of every page: light and dark, 1280 and 390 pixels wide, Outs and questions open.

    mkdocs build --strict && python tools/screenshots.py site pictures
    python tools/screenshots.py site .github --readme    the one picture that README.md shows

It prints the name of each picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from browsing import FLAGS, chromium, served

SCHEMES = ("light", "dark")
WIDTHS = (1280, 390)  # CSS pixels

OUTS = 'for (const label of document.querySelectorAll(".tabbed-labels > label:nth-of-type(2)")) label.click()'
OPEN = f"""() => {{
  {OUTS}
  for (const details of document.querySelectorAll("article details")) details.open = true
}}"""


THROUGH = """async () => {
  const frame = () => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)))
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
    scrollTo(0, y)
    await frame(); await frame()
  }
  scrollTo(0, 0)
  await frame()
}"""


def settled(page: Page) -> None:
    """Scroll through a page as a reader does, so that all that waits to be near is there."""
    page.evaluate(THROUGH)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(600)  # the header fades back


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="the folder of a built site")
    parser.add_argument("pictures", type=Path, help="the folder to write to")
    parser.add_argument("--readme", action="store_true", help="take the picture of README.md, and no other")
    given = parser.parse_args()
    given.pictures.mkdir(parents=True, exist_ok=True)
    pages = sorted(path.parent.relative_to(given.site).as_posix() for path in given.site.rglob("index.html"))
    with served(given.site) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS])
        if given.readme:
            tab = browser.new_page(viewport={"width": 1180, "height": 860}, color_scheme="light")
            tab.goto(f"{address}training_a_classifier/")
            tab.evaluate(OUTS)
            settled(tab)
            tab.evaluate("document.getElementById('4-train-the-network').scrollIntoView()")
            tab.wait_for_timeout(600)
            tab.screenshot(path=given.pictures / "screenshot.png")
            return
        for scheme in SCHEMES:
            for width in WIDTHS:
                tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
                for name in pages:
                    tab.goto(address + ("" if name == "." else f"{name}/"))
                    tab.evaluate(OPEN)
                    tab.add_style_tag(content=".md-content__inner > * { content-visibility: visible !important }")
                    settled(tab)
                    file = given.pictures / f"{'index' if name == '.' else name}-{scheme}-{width}.png"
                    tab.screenshot(path=file, full_page=True)
                    print(file)
        browser.close()


if __name__ == "__main__":
    main()
