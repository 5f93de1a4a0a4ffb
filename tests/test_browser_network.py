"""The trained network in the reader's browser: it computes what PyTorch computes, from images and from paint."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from torch import nn

from browser_fixtures import Visit, box_of
from site_helpers import ROOT


class Net(nn.Module):
    """The network of the page, here only to compute with its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in (self.conv1, self.conv2):
            x = nn.functional.max_pool2d(layer(x).relu(), 2)
        output: torch.Tensor = self.fc3(self.fc2(self.fc1(x.flatten(1)).relu()).relu())
        return output


def open_form(page: Page) -> Locator:
    """Scroll to the form, and wait until the network has been loaded."""
    form = page.locator(".try")
    form.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.try').dataset.logits")
    return form


def logits(page: Page) -> torch.Tensor:
    """Return what the network in the browser has computed last."""
    return torch.tensor(json.loads(str(page.locator(".try").get_attribute("data-logits"))))


def logits_by_torch(page: Page, pixels: bytes) -> torch.Tensor:
    """Return what PyTorch computes from 3 × 32 × 32 bytes with the weights that the page has loaded."""
    network = page.evaluate("window.tutorialNetwork")
    numbers = torch.frombuffer(bytearray(base64.b64decode(network["weights"])), dtype=torch.float32)
    net, start = Net(), 0
    for name, shape in network["layers"].items():
        length = torch.Size(shape).numel()
        net.get_parameter(name).data = numbers[start : start + length].view(shape)
        start += length
    assert start == len(numbers) == 62_006
    picture = torch.frombuffer(bytearray(pixels), dtype=torch.uint8).view(1, 3, 32, 32) / 127.5 - 1
    with torch.no_grad():
        output: torch.Tensor = net(picture)[0]
    return output


def test_the_network_agrees_with_torch_on_the_first_test_images(visit: Visit) -> None:
    page = visit("training_a_classifier/")
    assert page.evaluate("window.tutorialNetwork") is None, "the weights are loaded when the reader scrolls near"
    form = open_form(page)
    network = page.evaluate("window.tutorialNetwork")
    pictures = base64.b64decode(network["pictures"])
    for number in range(4):
        form.locator(f"[data-picture='{number}']").click()
        computed = logits(page)
        assert torch.allclose(computed, torch.tensor(network["logits"][number]), rtol=0, atol=1e-4), "as in the session"
        assert torch.allclose(computed, logits_by_torch(page, pictures[3072 * number :][:3072]), rtol=0, atol=1e-4)
        shares = [float(text.strip(" %")) for text in form.locator("output").all_inner_texts()]
        assert shares == pytest.approx((100 * computed.softmax(dim=0)).tolist(), abs=0.051)
        expect(form.locator(".try-says")).to_contain_text(network["classes"][network["labels"][number]])


def test_a_readers_picture_is_cropped_to_a_square_and_not_uploaded(visit: Visit, tmp_path: Path) -> None:
    picture = Image.new("RGB", (400, 200), (0, 0, 255))
    picture.paste((200, 30, 40), (100, 0, 300, 200))  # the middle square
    picture.save(tmp_path / "own.png")
    page = visit("training_a_classifier/")
    form = open_form(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    before = logits(page)
    form.locator("[type=file]").set_input_files(tmp_path / "own.png")
    page.wait_for_function(f"document.querySelector('.try').dataset.logits != '{json.dumps(before.tolist())}'")
    page.wait_for_function("!document.querySelector('.try-says').textContent.includes('It is a')")
    expected = logits_by_torch(page, bytes([200] * 1024 + [30] * 1024 + [40] * 1024))
    assert torch.allclose(logits(page), expected, rtol=0, atol=1e-4)
    assert [url for url in asked if not url.startswith("blob:")] == [], "it is not uploaded"


def test_paint_can_be_undone_and_the_canvas_cleared(visit: Visit) -> None:
    page = visit("training_a_classifier/")
    form = open_form(page)
    before = logits(page)
    canvas = form.locator(".try-canvas")
    canvas.scroll_into_view_if_needed()
    canvas.click(position={"x": 60, "y": 60})
    assert not torch.allclose(logits(page), before)
    form.get_by_role("button", name="Undo paint").click()
    assert torch.allclose(logits(page), before)
    form.get_by_role("button", name="Empty").click()
    empty = logits(page)
    assert not torch.allclose(empty, before)
    canvas.click(position={"x": 60, "y": 60})
    form.get_by_role("button", name="Undo paint").click()
    assert torch.allclose(logits(page), empty)


def test_a_file_that_is_not_a_picture_gets_a_message(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("words")
    page = visit("training_a_classifier/")
    form = open_form(page)
    form.locator("[type=file]").set_input_files(tmp_path / "words.png")
    expect(form.locator(".try-says")).to_have_text("Your browser can't read words.png as a picture.")


def test_painting_changes_what_the_network_computes(visit: Visit) -> None:
    page = visit("training_a_classifier/")
    form = open_form(page)
    before = logits(page)
    canvas = form.locator(".try-canvas")
    canvas.scroll_into_view_if_needed()
    area = box_of(canvas)
    page.mouse.move(area["x"] + 20, area["y"] + 20)
    page.mouse.down()
    page.mouse.move(area["x"] + 100, area["y"] + 90, steps=4)
    page.mouse.up()
    assert not torch.allclose(logits(page), before)
    expect(form.locator("[aria-pressed=true]")).to_have_count(0)


def test_the_zip_opens_from_a_file_with_search_and_network(site: Path, tmp_path: Path, visit: Visit) -> None:
    copy, unpacked = tmp_path / "site", tmp_path / "unpacked"
    shutil.copytree(site, copy)  # other tests look at the site meanwhile
    subprocess.run([sys.executable, ROOT / "tools" / "offline.py", copy], cwd=ROOT, check=True)
    with zipfile.ZipFile(copy / "offline.zip") as archive:
        archive.extractall(unpacked)
    url = f"{next(unpacked.iterdir()).as_uri()}/"
    page = visit("index.html", url=url)
    page.keyboard.press("/")
    page.keyboard.type("momentum")
    expect(page.locator(".md-search-result__item").first).to_be_visible()
    page = visit("training_a_classifier.html", url=url)
    form = open_form(page)
    form.locator("[data-picture='1']").click()
    assert torch.allclose(
        logits(page), torch.tensor(page.evaluate("window.tutorialNetwork.logits[1]")), rtol=0, atol=1e-4
    )
