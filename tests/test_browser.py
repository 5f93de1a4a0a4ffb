"""The site in a real browser, as readers use it: by mouse, by keyboard, without JavaScript, from a file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browser_fixtures import CODE_BOTTOM_AND_OUT_TOP, PAGES, Visit, block_of, box_of
from browsing import serve
from site_helpers import ROOT, data_kind

CHAPTER = PAGES[1:6]
TRAINING_IMAGES = {"original": 50_000, "mirror": 50_000, "placeholder": 10_000}  # by kind of data


def test_tabs_work_by_keyboard_and_independently(visit: Visit) -> None:
    page = visit("training_a_classifier/")
    block, other = block_of(page, "dataset"), block_of(page, "train")
    expect(block.locator(".codeout-stream")).to_be_hidden()
    block.locator("input").first.focus()
    page.keyboard.press("ArrowRight")
    expect(block.locator(".codeout-stream")).to_be_visible()
    expect(block.locator(".codeout-stream")).to_contain_text(f"{TRAINING_IMAGES[data_kind('cifar10')]} training images")
    expect(other.locator(".codeout-stream")).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    expect(block.locator(".codeout-stream")).to_be_hidden()


def test_copy_buttons_copy_code_and_out(visit: Visit) -> None:
    page = visit("training_a_classifier/", permissions=["clipboard-read", "clipboard-write"])
    block = block_of(page, "train")
    block.scroll_into_view_if_needed()
    copied = "navigator.clipboard.readText()"
    block.locator(".tabbed-block").first.get_by_title("Copy to clipboard").click()
    page.wait_for_function(f"{copied}.then(text => text.includes('for epoch in range(2)'))")
    block.get_by_text("Out", exact=True).click()
    block.locator(".codeout").get_by_title("Copy to clipboard").click()
    page.wait_for_function(f"{copied}.then(text => text.startsWith('[1,  2000] loss'))")


def test_code_gets_its_button_when_it_is_first_seen(visit: Visit) -> None:
    page = visit("training_a_classifier/")
    boxes = page.locator(".md-content pre:has(> code:visible)").all()
    assert boxes[-1].locator(".md-code__nav").count() == 0
    for box in boxes:
        box.scroll_into_view_if_needed()
        expect(box.get_by_title("Copy to clipboard")).to_be_visible()
    ids = page.evaluate("[...document.querySelectorAll('pre[id]')].map(box => box.id)")
    assert len(ids) == len(set(ids)) >= len(boxes) > 10
    roles = page.locator(".md-code__nav").evaluate_all("groups => groups.map(group => group.role)")
    assert set(roles) == {"none"}, "not a landmark each"


def test_an_annotation_has_a_visible_number_that_is_not_copied(visit: Visit) -> None:
    phone = {"width": 390, "height": 844}
    page = visit("neural_networks/", viewport=phone, permissions=["clipboard-read", "clipboard-write"])
    block = block_of(page, "net")
    block.scroll_into_view_if_needed()
    marks = block.locator(".codeout-mark")
    assert marks.count() == block.locator(".codeout-notes > li").count() == 4
    inside = """mark => mark.getBoundingClientRect().right <= mark.closest("code").getBoundingClientRect().right"""
    assert marks.evaluate_all(f"marks => marks.every({inside})"), "a long line hides its number"
    block.get_by_title("Copy to clipboard").first.click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.includes('class Net'))")
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert "        self.conv1 = nn.Conv2d(1, 6, 5)" in [line.rstrip() for line in copied]
    expect(block.locator(".codeout-notes")).to_contain_text("each filter covers 5 by 5 pixels.")
    block.get_by_text("Out", exact=True).click()
    expect(block.locator(".codeout-notes")).to_be_hidden()


ANNOTATED = """
site_name: Small
theme: {name: material, font: false, features: [content.code.annotate]}
markdown_extensions: [pymdownx.superfences, pymdownx.highlight, pymdownx.tabbed: {alternate_style: true}, codeout]
plugins: [codeout, markdown-exec]
"""


def test_with_materials_annotations_notes_become_annotations(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "mkdocs.yml").write_text(ANNOTATED)
    fence = '```python exec="on" source="tabbed-left" tabs="Code|Out"\nprint(1)  # (1)!\n```'
    (tmp_path / "docs/index.md").write_text(f"# Title\n\n{fence}\n\n1. Says why.\n")
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict"], cwd=tmp_path, check=True)
    with serve(tmp_path / "site") as url:
        page = browser.new_page()
        page.goto(url)
        page.locator(".codeout-mark .md-annotation").focus()
        expect(page.locator(".md-tooltip")).to_contain_text("Says why.")
        expect(page.locator(".codeout-notes")).to_be_hidden()
        page.close()


def test_a_live_page_keeps_the_notes_of_a_block_when_its_first_output_arrives(browser: Browser) -> None:
    code = '<div class="highlight"><pre><code>x = 1</code></pre></div>'
    html = f'<div class="tabs">{code}<ol class="codeout-notes"></ol><div class="codeout">Out</div></div>'
    page = browser.new_page()
    page.set_content(f'<div data-codeout="a" data-key="k">{code}<ol class="codeout-notes"><li>One</li></ol></div>')
    news = {"version": 1, "running": False, "states": {"a": {"key": "k", "html": html}}}
    page.evaluate("news => { window.fetch = async () => ({ json: async () => news }) }", news)
    script = ROOT / "packages/codeout/src/codeout/mkdocs/live.js"
    page.add_script_tag(content=script.read_text(encoding="utf8").replace("SINCE", "0"))
    expect(page.locator(".tabs .codeout")).to_have_text("Out")
    expect(page.locator(".tabs .codeout-notes")).to_have_text("One")
    page.close()


def test_a_switch_puts_outs_below_their_code_on_all_pages(visit: Visit) -> None:
    page = visit("autograd/")
    out = block_of(page, "check").locator(".codeout")
    expect(out).to_be_hidden()
    page.get_by_role("button", name="Outs below their code").click()
    expect(out).to_be_visible()
    bottom, top = block_of(page, "check").evaluate(CODE_BOTTOM_AND_OUT_TOP)
    assert top >= bottom
    out.scroll_into_view_if_needed()
    link, copy = [box_of(block_of(page, "check").locator(name).first) for name in (".codeout-link", ".md-code__nav")]
    assert link["x"] + link["width"] <= copy["x"], "the button covers the link"
    page.goto(page.url.replace("autograd", "neural_networks"))
    expect(block_of(page, "parameters").locator(".codeout")).to_be_visible()
    page.get_by_role("button", name="Outs in tabs").click()
    expect(block_of(page, "parameters").locator(".codeout")).to_be_hidden()


def test_a_block_has_a_link_that_leads_to_it(visit: Visit) -> None:
    page = visit("training_a_classifier/")
    block_of(page, "train").get_by_role("link", name="Link to this block").click()
    assert page.url.endswith("#out-train")
    expect(block_of(page, "train")).to_be_in_viewport()


def test_the_run_line_opens_and_shows_date_code_and_data(visit: Visit) -> None:
    page = visit("training_a_classifier/")
    block = block_of(page, "train")
    block.get_by_text("Out", exact=True).click()
    line = block.locator(".codeout-run")
    expect(line.locator("pre")).to_be_hidden()
    line.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(line.locator("pre")).to_be_visible()
    for word in ("Ran", "Python", "torch", "CIFAR-10", "Code", "From"):
        expect(line.locator("pre")).to_contain_text(f"{word}: ")


def test_search_finds_a_word_of_another_page_by_keyboard(visit: Visit) -> None:
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
def test_search_finds_parts_of_names(visit: Visit, typed: str, pages: list[str]) -> None:
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type(typed)
    results = page.locator(".md-search-result__item")
    expect(results.first).to_be_visible()
    links = results.locator("a").evaluate_all("links => links.map(link => link.pathname)")
    assert {*pages} <= {path.strip("/") for path in links}


def test_search_results_show_what_readers_see(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf8"))
    text = "".join(entry["text"] for entry in index["docs"])
    assert "</pre>" in text
    assert "\\frac" not in text, "the LaTeX source of a formula is not shown"
    assert not re.search(r"</(pre|ol)>\s*#", text)


def test_the_scheme_follows_the_system_until_somebody_chooses(visit: Visit) -> None:
    page = visit(color_scheme="dark")

    def expect_scheme(name: str) -> None:
        expect(page.locator("body")).to_have_attribute("data-md-color-scheme", name)

    expect_scheme("slate")
    page.emulate_media(color_scheme="light")
    expect_scheme("default")
    page.emulate_media(color_scheme="dark")
    expect_scheme("slate")
    page.get_by_title("Switch to light mode").click()
    expect_scheme("default")
    expect(page.get_by_title("Switch to dark mode")).to_be_focused()
    page.goto(f"{page.url}autograd/")
    expect_scheme("default")
    page.emulate_media(color_scheme="light")
    page.get_by_title("Switch to dark mode").click()
    expect_scheme("slate")


def test_the_scheme_is_set_before_anything_is_drawn(visit: Visit) -> None:
    page = visit(color_scheme="dark")
    page.route("**/*.js", lambda route: route.fulfill(content_type="text/javascript", body=""))
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
    plain = visit(color_scheme="dark", java_script_enabled=False)
    expect(plain.locator(".switch").first).to_be_hidden()


@pytest.mark.parametrize("path", CHAPTER)
def test_downloads_are_a_notebook_with_outputs_and_a_script(visit: Visit, path: str) -> None:
    page = visit(path)
    with page.expect_download() as begun:
        page.get_by_role("link", name="Notebook").click()
    book = nbformat.read(begun.value.path(), 4)
    assert begun.value.suggested_filename == f"{path.strip('/')}.ipynb"
    assert any(cell.get("outputs") for cell in book.cells)
    with page.expect_download() as begun:
        page.get_by_role("link", name="Script").click()
    compile(Path(begun.value.path()).read_text(encoding="utf8"), begun.value.suggested_filename, "exec")


def test_a_quiz_explains_each_answer_by_keyboard(visit: Visit) -> None:
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


def test_a_figure_can_be_enlarged_and_closed(visit: Visit) -> None:
    page = visit("training_a_classifier/")
    block = block_of(page, "curve")
    block.get_by_text("Out", exact=True).click()
    before = box_of(block.locator("svg"))["width"]
    block.get_by_role("button", name="Enlarge").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Loss while training")
    expect(dialog).to_be_visible()
    assert box_of(dialog.locator("svg"))["width"] > 1.5 * before
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert box_of(block.locator("svg"))["width"] == before


@pytest.mark.parametrize(
    ("path", "section", "step", "caption"),
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
def test_a_step_of_a_graph_shows_its_caption(visit: Visit, path: str, section: str, step: str, caption: str) -> None:
    page = visit(path)
    drawing = page.locator(f"svg.drawing:has([id^=out-{section}])")
    box = drawing.get_by_role("img", name=step, exact=True)
    line = box.locator(".caption text").last
    expect(line).to_have_css("visibility", "hidden")
    box.focus()
    expect(line).to_have_css("visibility", "visible")
    expect(line).to_contain_text(caption)
    expect(drawing.locator(".hint")).to_have_css("visibility", "hidden")
    page.keyboard.press("Shift+Tab")
    expect(line).to_have_css("visibility", "hidden")
    box.locator("rect").first.hover(force=True)
    expect(line).to_have_css("visibility", "visible")


def knob(page: Page, section: str, name: str, value: str) -> Locator:
    """Return the button for a value of a swept block."""
    group = block_of(page, section).locator("fieldset", has=page.locator("legend", has_text=re.compile(f"^{name}$")))
    return group.locator("label", has_text=re.compile(f"^{re.escape(value)}$"))


def shown_cases(page: Page, section: str) -> list[str]:
    """Return the text of the outputs of a swept block that can be seen."""
    cases = block_of(page, section).locator(".codeout-case")
    return [case.inner_text() for case in cases.all() if case.is_visible()]


@pytest.mark.parametrize("settings", [{}, {"has_touch": True, "viewport": {"width": 390, "height": 844}}])
def test_a_reader_chooses_between_real_runs(visit: Visit, settings: dict[str, object]) -> None:
    page = visit("", **settings)
    (first,) = shown_cases(page, "fit")
    chosen = knob(page, "fit", "lr", "0.0002")
    (chosen.tap if settings else chosen.click)()
    (second,) = shown_cases(page, "fit")
    assert re.findall(r"loss after 1000 steps: ([\d.]+)", first + second)[0] < "0.01"
    assert first != second
    picture = block_of(page, "fit").locator(".codeout-case[data-shown] img.codeout-picture")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


def test_a_knob_works_with_the_keyboard(visit: Visit) -> None:
    page = visit("")
    block_of(page, "fit").locator("input[name$='-width'][value='0']").focus()
    page.keyboard.press("ArrowRight")
    (shown,) = shown_cases(page, "fit")
    expect(block_of(page, "fit").locator(".codeout-case[data-shown]")).to_have_attribute("data-case", "0 1")
    assert "loss after 1000 steps" in shown


def test_pictures_of_other_values_load_when_they_are_shown(visit: Visit) -> None:
    page = visit("")
    loaded = "() => performance.getEntriesByType('resource').filter(each => /outputs\\//.test(each.name)).length"
    before = page.evaluate(loaded)
    knob(page, "fit", "lr", "10.0").click()
    picture = block_of(page, "fit").locator(".codeout-case[data-shown] img.codeout-picture")
    picture.evaluate("image => image.decode()")
    assert page.evaluate(loaded) == before + 1


def test_without_scripts_all_cases_stand_one_below_the_other(visit: Visit) -> None:
    page = visit("", java_script_enabled=False)
    cases = shown_cases(page, "fit")
    assert len(cases) == 9
    assert all("loss after 1000 steps" in case for case in cases)
    assert "lr = 0.0002, width = 4" in cases[4]
    assert not block_of(page, "fit").locator(".codeout-knobs").is_visible()
