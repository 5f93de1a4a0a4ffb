"""The site in a real browser, as a reader meets it: by mouse, by keyboard, without script, from a file."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright
from torch import nn

from browsing import FLAGS, chromium, served
from screenshots import OPEN, settled
from site_helpers import ROOT

PAGES = ("", "autograd/", "neural_networks/", "training_a_classifier/", "training_on_gpu/", "outputs/", "maintaining/")
CHAPTER = PAGES[1:5]
BOUNDS = """block => {
  const [code, out] = [...block.querySelectorAll(".tabbed-block")].map(tab => tab.getBoundingClientRect())
  return [code.bottom, out.top]
}"""
LAID = """[...document.querySelectorAll(".md-content__inner > *")].every(part =>
  part.style.contentVisibility === "visible")"""
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        path = chromium()
    except FileNotFoundError as problem:
        pytest.fail(str(problem))
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=[*FLAGS])
        yield started
        started.close()


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    with served(site) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Return what opens a page of the site; at the end nothing was complained of, and no other host was asked."""
    complaints: list[str] = []
    contexts = []

    def visit(path: str = "", url: str = address, **settings: object) -> Page:
        settings = {"viewport": {"width": 1280, "height": 900}, **settings}
        context = browser.new_context(**settings)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(f"{path}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"{path}: {error}"))
        page.on(
            "requestfailed", lambda asked: None if left(asked) else complaints.append(f"{path}: {asked.url} failed")
        )
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((url, "data:", "blob:")) else complaints.append(asked.url),
        )
        page.goto(url + path)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def left(request: Request) -> bool:
    """Return whether a request failed because the reader had gone on to another page."""
    return request.failure == "net::ERR_ABORTED"


def out_of(page: Page, section: str) -> Page:
    return page.locator(f"#out-{section}")


# As it is, at 200 %, and as narrow as WCAG asks; what is folded or behind a tab is looked at where it is opened.
@pytest.mark.parametrize(
    ("width", "scheme", "opened"),
    [(1280, "light", False), (1280, "dark", True), (640, "dark", False), (320, "light", True)],
)
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_and_nothing_sticks_out(
    visit: Callable[..., Page], path: str, width: int, scheme: str, opened: bool
) -> None:
    page = visit(path, viewport={"width": width, "height": 900}, color_scheme=scheme)
    if opened:
        page.evaluate(OPEN)
    settled(page)
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("path", PAGES)
def test_nothing_moves_while_a_page_loads(visit: Callable[..., Page], path: str) -> None:
    page = visit(path, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.wait_for_function(LAID)
    shift = """new Promise(resolve => new PerformanceObserver(list =>
      resolve(list.getEntries().map(entry => entry.value))).observe({ type: "layout-shift", buffered: true })
      || setTimeout(() => resolve([]), 300))"""
    assert sum(page.evaluate(shift)) < 0.005


def test_tabs_work_by_keyboard_and_each_by_itself(visit: Callable[..., Page]) -> None:
    page = visit("training_a_classifier/")
    block, other = out_of(page, "dataset"), out_of(page, "train")
    expect(block.locator(".codeout-stream")).to_be_hidden()
    block.locator("input").first.focus()
    page.keyboard.press("ArrowRight")
    expect(block.locator(".codeout-stream")).to_be_visible()
    expect(block.locator(".codeout-stream")).to_contain_text("50000 training images")
    expect(other.locator(".codeout-stream")).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    expect(block.locator(".codeout-stream")).to_be_hidden()


def test_what_is_copied_of_an_out_is_the_out(visit: Callable[..., Page]) -> None:
    page = visit("training_a_classifier/", permissions=["clipboard-read", "clipboard-write"])
    block = out_of(page, "train")
    copied = "navigator.clipboard.readText()"
    block.locator(".tabbed-block").first.get_by_title("Copy to clipboard").click()
    page.wait_for_function(f"{copied}.then(text => text.includes('for epoch in range(2)'))")
    block.get_by_text("Out", exact=True).click()
    block.locator(".codeout").get_by_title("Copy to clipboard").click()
    page.wait_for_function(f"{copied}.then(text => text.startsWith('[1,  2000] loss'))")
    ids = page.evaluate("[...document.querySelectorAll('pre[id]')].map(box => box.id)")
    assert len(ids) == len(set(ids)) > 20


def test_a_note_is_numbered_in_sight_and_nobody_copies_the_number(visit: Callable[..., Page]) -> None:
    phone = {"width": 390, "height": 844}
    page = visit("neural_networks/", viewport=phone, permissions=["clipboard-read", "clipboard-write"])
    block = out_of(page, "net")
    block.scroll_into_view_if_needed()
    marks = block.locator(".codeout-mark")
    assert marks.count() == block.locator(".codeout-notes > li").count() == 4
    inside = """mark => mark.getBoundingClientRect().right <= mark.closest("code").getBoundingClientRect().right"""
    assert marks.evaluate_all(f"marks => marks.every({inside})"), "a line that goes on to the right hides its number"
    block.get_by_title("Copy to clipboard").first.click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.includes('class Net'))")
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert "        self.conv1 = nn.Conv2d(1, 6, 5)" in [line.rstrip() for line in copied]
    expect(block.locator(".codeout-notes")).to_contain_text("each filter sees 5 by 5 pixels.")
    block.get_by_text("Out", exact=True).click()
    expect(block.locator(".codeout-notes")).to_be_hidden()


ANNOTATED = """
site_name: Small
theme: {name: material, font: false, features: [content.code.annotate]}
markdown_extensions: [pymdownx.superfences, pymdownx.highlight, pymdownx.tabbed: {alternate_style: true}, codeout]
plugins: [codeout, markdown-exec]
"""


def test_with_materials_annotations_the_notes_become_those(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "mkdocs.yml").write_text(ANNOTATED)
    fence = '```python exec="on" source="tabbed-left" tabs="Code|Out"\nprint(1)  # (1)!\n```'
    (tmp_path / "docs/index.md").write_text(f"# Title\n\n{fence}\n\n1. Says why.\n")
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict"], cwd=tmp_path, check=True)
    with served(tmp_path / "site") as url:
        page = browser.new_page()
        page.goto(url)
        page.locator(".codeout-mark .md-annotation").focus()
        expect(page.locator(".md-tooltip")).to_contain_text("Says why.")
        expect(page.locator(".codeout-notes")).to_be_hidden()
        page.close()


def test_a_live_page_keeps_the_notes_of_a_block_whose_first_output_comes(browser: Browser) -> None:
    code = '<div class="highlight"><pre><code>x = 1</code></pre></div>'
    shown = f'<div class="tabs">{code}<ol class="codeout-notes"></ol><div class="codeout">Out</div></div>'
    page = browser.new_page()
    page.set_content(
        f'<div data-codeout="a" data-key="k">{code}<ol class="codeout-notes"><li>One</li></ol></div>'
        "<script>EventSource = class { constructor() { window.events = this } }</script>"
    )
    page.add_script_tag(path=ROOT / "packages/codeout/src/codeout/mkdocs/live.js")
    news = json.dumps({"a": {"key": "k", "html": shown}})
    page.evaluate("data => events.onmessage({ data })", news)
    expect(page.locator(".tabs .codeout")).to_have_text("Out")
    expect(page.locator(".tabs .codeout-notes")).to_have_text("One")
    page.close()


def test_outs_stand_below_their_code_for_who_asks_and_on_the_next_page_too(visit: Callable[..., Page]) -> None:
    page = visit("autograd/")
    out = out_of(page, "check").locator(".codeout")
    expect(out).to_be_hidden()
    page.get_by_role("button", name="Outs below their code").click()
    expect(out).to_be_visible()
    bottom, top = out_of(page, "check").evaluate(BOUNDS)
    assert top >= bottom
    boxes = [out_of(page, "check").locator(name).first.bounding_box() for name in (".codeout-link", ".md-code__nav")]
    link, copy = [box for box in boxes if box]
    assert link["x"] + link["width"] <= copy["x"], "the link lies under the button"
    page.goto(page.url.replace("autograd", "neural_networks"))
    expect(out_of(page, "parameters").locator(".codeout")).to_be_visible()
    page.get_by_role("button", name="Outs in tabs").click()
    expect(out_of(page, "parameters").locator(".codeout")).to_be_hidden()


@pytest.mark.parametrize("anchor", ["new-names", "out-optim", "exercises"])
def test_a_link_into_a_page_arrives(visit: Callable[..., Page], anchor: str) -> None:
    page = visit(f"neural_networks/#{anchor}", viewport={"width": 390, "height": 844})
    page.wait_for_timeout(1000)
    top = page.evaluate(f"document.getElementById('{anchor}').getBoundingClientRect().top")
    end = page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 2")
    assert 40 < top < 130 or end


def test_the_way_back_leads_to_where_the_reader_was(visit: Callable[..., Page]) -> None:
    page = visit("training_a_classifier/")
    page.wait_for_function(LAID)
    place = page.locator("#exercises")
    place.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    before = place.bounding_box()["y"]
    page.wait_for_load_state("networkidle")
    page.goto(page.url.partition("#")[0].replace("training_a_classifier", "autograd"))
    page.go_back()
    page.wait_for_timeout(1000)
    page.wait_for_load_state("networkidle")
    assert abs(place.bounding_box()["y"] - before) < 60


def test_on_a_phone_words_wrap_and_tensors_scroll(visit: Callable[..., Page]) -> None:
    page = visit("training_a_classifier/", viewport={"width": 390, "height": 844})
    page.evaluate(OPEN)
    wide = "box => box.scrollWidth - box.clientWidth"
    assert out_of(page, "accuracy").locator(".codeout-stream code").evaluate(wide) == 0
    page.goto(page.url.replace("training_a_classifier", "neural_networks"))
    page.evaluate(OPEN)
    assert out_of(page, "backprop").locator(".codeout-stream code").first.evaluate(wide) > 0


def test_a_block_has_a_link_that_leads_to_it(visit: Callable[..., Page]) -> None:
    page = visit("training_a_classifier/")
    out_of(page, "train").get_by_role("link", name="Link to this block").click()
    assert page.url.endswith("#out-train")
    expect(out_of(page, "train")).to_be_in_viewport()


def test_the_run_line_opens_and_names_date_code_and_data(visit: Callable[..., Page]) -> None:
    page = visit("training_a_classifier/")
    block = out_of(page, "train")
    block.get_by_text("Out", exact=True).click()
    line = block.locator(".codeout-run")
    expect(line.locator("dl")).to_be_hidden()
    line.locator("summary").focus()
    page.keyboard.press("Enter")
    for word in ("Ran", "Python", "torch", "CIFAR-10", "Code", "From"):
        expect(line.locator("dt", has_text=word).first).to_be_visible()


def test_search_finds_a_word_of_another_page_by_keyboard(visit: Callable[..., Page]) -> None:
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type("momentum")
    expect(page.locator(".md-search-result__link[href*='h=momentum']").first).to_be_visible()
    page.keyboard.press("ArrowDown")  # to the page
    page.keyboard.press("ArrowDown")  # to the section that has the word
    page.keyboard.press("Enter")
    page.wait_for_url("**/?h=momentum#*")
    expect(page.locator("article mark").first).to_be_visible()


@pytest.mark.parametrize(
    ("typed", "pages"), [("entropy", ["training_a_classifier"]), ("no_grad", ["autograd", "training_a_classifier"])]
)
def test_search_finds_parts_of_names(visit: Callable[..., Page], typed: str, pages: list[str]) -> None:
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type(typed)
    results = page.locator(".md-search-result__item")
    expect(results.first).to_be_visible()
    links = results.locator("a").evaluate_all("links => links.map(link => link.pathname)")
    assert {*pages} <= {path.strip("/") for path in links}


def test_search_shows_what_readers_see(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf8"))
    shown = "".join(entry["text"] for entry in index["docs"])
    assert "</pre>" in shown
    assert "\\frac" not in shown, "the source of a formula is none of its words"
    assert not re.search(r"</(pre|ol)>\s*#", shown)


def test_the_scheme_follows_the_system_and_the_switch(visit: Callable[..., Page]) -> None:
    page = visit(color_scheme="dark")
    scheme = "document.body.getAttribute('data-md-color-scheme')"
    assert page.evaluate(scheme) == "slate"
    page.get_by_title("Switch to light mode").click()
    assert page.evaluate(scheme) == "default"


@pytest.mark.parametrize("path", CHAPTER)
def test_downloads_are_a_notebook_with_outputs_and_a_script(visit: Callable[..., Page], path: str) -> None:
    page = visit(path)
    with page.expect_download() as begun:
        page.get_by_role("link", name="Notebook").click()
    book = nbformat.read(begun.value.path(), 4)
    assert begun.value.suggested_filename == f"{path.strip('/')}.ipynb"
    assert any(cell.get("outputs") for cell in book.cells)
    with page.expect_download() as begun:
        page.get_by_role("link", name="Script").click()
    compile(Path(begun.value.path()).read_text(encoding="utf8"), begun.value.suggested_filename, "exec")


def test_a_question_explains_each_answer_by_keyboard(visit: Callable[..., Page]) -> None:
    for path in CHAPTER:
        page = visit(path)
        questions = page.locator(".quiz")
        assert 2 <= questions.count() <= 3, path
        for question in questions.all():
            answers = question.locator("details")
            assert question.locator("details.right").count() == 1
            for answer in answers.all():
                expect(answer.locator("p")).to_be_hidden()
                answer.locator("summary").focus()
                page.keyboard.press("Enter")
                expect(answer.locator("p")).to_be_visible()


def test_a_figure_opens_large_and_goes_back(visit: Callable[..., Page]) -> None:
    page = visit("training_a_classifier/")
    block = out_of(page, "curve")
    block.get_by_text("Out", exact=True).click()
    before = block.locator("svg").bounding_box()["width"]
    block.get_by_role("button", name="Enlarge").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Loss while training")
    expect(dialog).to_be_visible()
    assert dialog.locator("svg").bounding_box()["width"] > 1.5 * before
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert block.locator("svg").bounding_box()["width"] == before


@pytest.mark.parametrize(
    ("path", "section", "step", "told"),
    [
        (
            "autograd/",
            "graph",
            "a = 2, 3, shape (2,); gets the gradient 36, 81, shape (2,)",
            "gets the gradient 36, 81",
        ),
        ("neural_networks/", "chain_drawn", "MseLossBackward0; gets the gradient 1", "gets the gradient 1"),
    ],
)
def test_a_step_of_a_graph_tells_what_flowed_there(
    visit: Callable[..., Page], path: str, section: str, step: str, told: str
) -> None:
    page = visit(path)
    drawing = page.locator(f"svg.drawing:has([id^=out-{section}])")
    said = drawing.get_by_role("img", name=step, exact=True)
    line = said.locator(".told text").last
    expect(line).to_have_css("visibility", "hidden")
    said.focus()
    expect(line).to_have_css("visibility", "visible")
    expect(line).to_contain_text(told)
    expect(drawing.locator(".hint")).to_have_css("visibility", "hidden")
    page.keyboard.press("Shift+Tab")
    expect(line).to_have_css("visibility", "hidden")
    said.locator("rect").first.hover(force=True)
    expect(line).to_have_css("visibility", "visible")


# ------------------------------------------------------------------------------------------- the network in the browser


class Net(nn.Module):
    """The network of the page, here only to compute with its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in (self.conv1, self.conv2):
            x = nn.functional.max_pool2d(layer(x).relu(), 2)
        return self.fc3(self.fc2(self.fc1(x.flatten(1)).relu()).relu())


def tried(page: Page) -> Page:
    box = page.locator(".try")
    box.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.try').dataset.logits")
    return box


def logits(page: Page) -> torch.Tensor:
    return torch.tensor(json.loads(page.locator(".try").get_attribute("data-logits")))


def by_torch(page: Page, pixels: bytes) -> torch.Tensor:
    """Return what PyTorch makes of 3 × 32 × 32 bytes with the weights that the page has loaded."""
    made = page.evaluate("window.tutorialNetwork")
    numbers = torch.frombuffer(bytearray(base64.b64decode(made["weights"])), dtype=torch.float32)
    net, start = Net(), 0
    for name, shape in made["layers"].items():
        length = torch.Size(shape).numel()
        net.get_parameter(name).data = numbers[start : start + length].view(shape)
        start += length
    assert start == len(numbers) == 62_006
    picture = torch.frombuffer(bytearray(pixels), dtype=torch.uint8).view(1, 3, 32, 32) / 127.5 - 1
    with torch.no_grad():
        return net(picture)[0]


def test_the_network_agrees_with_torch_on_the_first_test_images(visit: Callable[..., Page]) -> None:
    page = visit("training_a_classifier/")
    assert page.evaluate("window.tutorialNetwork") is None, "the weights are loaded when the reader comes near"
    box = tried(page)
    made = page.evaluate("window.tutorialNetwork")
    pictures = base64.b64decode(made["pictures"])
    for number in range(4):
        box.locator(f"[data-picture='{number}']").click()
        found = logits(page)
        assert torch.allclose(found, torch.tensor(made["logits"][number]), rtol=0, atol=1e-4), "as in the session"
        assert torch.allclose(found, by_torch(page, pictures[3072 * number :][:3072]), rtol=0, atol=1e-4)
        shares = [float(text.strip(" %")) for text in box.locator("output").all_inner_texts()]
        assert shares == pytest.approx((100 * found.softmax(dim=0)).tolist(), abs=0.051)
        expect(box.locator(".try-says")).to_contain_text(made["classes"][made["labels"][number]])


def test_a_picture_of_ones_own_is_cut_square_and_seen(visit: Callable[..., Page], tmp_path: Path) -> None:
    picture = Image.new("RGB", (400, 200), (0, 0, 255))
    picture.paste((200, 30, 40), (100, 0, 300, 200))  # the middle square
    picture.save(tmp_path / "own.png")
    page = visit("training_a_classifier/")
    box = tried(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    before = logits(page)
    box.locator("[type=file]").set_input_files(tmp_path / "own.png")
    page.wait_for_function(f"document.querySelector('.try').dataset.logits != '{json.dumps(before.tolist())}'")
    page.wait_for_function("!document.querySelector('.try-says').textContent.includes('It is a')")
    expected = by_torch(page, bytes([200] * 1024 + [30] * 1024 + [40] * 1024))
    assert torch.allclose(logits(page), expected, rtol=0, atol=1e-4)
    assert [url for url in asked if not url.startswith("blob:")] == [], "it is not uploaded"


def test_paint_is_undone_and_the_canvas_emptied(visit: Callable[..., Page]) -> None:
    page = visit("training_a_classifier/")
    box = tried(page)
    before = logits(page)
    canvas = box.locator(".try-canvas")
    canvas.scroll_into_view_if_needed()
    canvas.click(position={"x": 60, "y": 60})
    assert not torch.allclose(logits(page), before)
    box.get_by_role("button", name="Undo paint").click()
    assert torch.allclose(logits(page), before)
    box.get_by_role("button", name="Empty").click()
    empty = logits(page)
    assert not torch.allclose(empty, before)
    canvas.click(position={"x": 60, "y": 60})
    box.get_by_role("button", name="Undo paint").click()
    assert torch.allclose(logits(page), empty)


def test_a_file_that_is_no_picture_is_said_to_be_none(visit: Callable[..., Page], tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("words")
    page = visit("training_a_classifier/")
    box = tried(page)
    box.locator("[type=file]").set_input_files(tmp_path / "words.png")
    expect(box.locator(".try-says")).to_have_text("Your browser can't read words.png as a picture.")


def test_painting_changes_what_the_network_says(visit: Callable[..., Page]) -> None:
    page = visit("training_a_classifier/")
    box = tried(page)
    before = logits(page)
    canvas = box.locator(".try-canvas")
    canvas.scroll_into_view_if_needed()
    area = canvas.bounding_box()
    page.mouse.move(area["x"] + 20, area["y"] + 20)
    page.mouse.down()
    page.mouse.move(area["x"] + 100, area["y"] + 90, steps=4)
    page.mouse.up()
    assert not torch.allclose(logits(page), before)
    expect(box.locator("[aria-pressed=true]")).to_have_count(0)


# ------------------------------------------------------------------------------------------------ other ways to read it


def test_without_script_every_out_stands_below_its_code(visit: Callable[..., Page]) -> None:
    for path in PAGES[:5]:
        page = visit(path, java_script_enabled=False)
        blocks = page.locator(".codeout-block:has(.tabbed-set):not(details *)").all()
        for block in blocks:
            code, out = block.locator(".tabbed-block").all()
            assert code.is_visible() and out.is_visible()
            assert not block.locator(".tabbed-labels").is_visible()
            bottom, top = block.evaluate(BOUNDS)
            assert path == "" or top >= bottom, "at home they stand side by side"
        assert blocks
    page = visit("training_a_classifier/", java_script_enabled=False)
    expect(page.locator(".try")).to_be_hidden()
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.locator("noscript p")).to_have_text("The network computes in the browser; that takes JavaScript.")


def test_the_zip_opens_from_a_file_with_search_and_network(
    site: Path, tmp_path: Path, visit: Callable[..., Page]
) -> None:
    subprocess.run([sys.executable, ROOT / "tools" / "offline.py", site], cwd=ROOT, check=True)
    try:
        with zipfile.ZipFile(site / "offline.zip") as archive:
            archive.extractall(tmp_path)
    finally:
        (site / "offline.zip").unlink()
    url = f"{next(tmp_path.iterdir()).as_uri()}/"
    page = visit("index.html", url=url)
    page.keyboard.press("/")
    page.keyboard.type("momentum")
    expect(page.locator(".md-search-result__item").first).to_be_visible()
    page = visit("training_a_classifier.html", url=url)
    box = tried(page)
    box.locator("[data-picture='1']").click()
    assert torch.allclose(
        logits(page), torch.tensor(page.evaluate("window.tutorialNetwork.logits[1]")), rtol=0, atol=1e-4
    )


def test_what_is_sent_first_weighs_at_most_400_kb(visit: Callable[..., Page], browser: Browser, address: str) -> None:
    for path in PAGES:
        page = visit(path, viewport={"width": 412, "height": 823})
        page.wait_for_load_state("networkidle")
        sizes = """performance.getEntries().filter(entry => "transferSize" in entry).map(entry => entry.transferSize)"""
        assert 20_000 < sum(page.evaluate(sizes)) < 400_000, path


def test_cards_are_drawn_where_the_address_is_known(tmp_path: Path) -> None:
    from cards.card import SIZE, card

    empty, full = (Image.open(io.BytesIO(card("Site", "A title", about, ""))) for about in ("", "words " * 40))
    assert empty.size == full.size == SIZE
    left = full.crop((0, 260, 80, 520)).getcolors()
    right = full.crop((SIZE[0] - 70, 260, SIZE[0], 520)).getcolors()
    assert len(left) == len(right) == 1, "the text stays inside the edges"
    assert (
        len(empty.crop((80, 260, SIZE[0], 500)).getcolors()) == 1 < len(full.crop((80, 260, SIZE[0], 500)).getcolors())
    )
