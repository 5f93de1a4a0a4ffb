"""The snippet of docs/index.md: it runs as a script, and its page shows its outputs."""

from __future__ import annotations

from page_tests import PageTests, PictureTests


class TestIndex(PageTests, PictureTests):
    page = "index"
    rows = {
        "home": ("fit", r"(?s).*loss after 1000 steps: 0\.00\d+.*"),
    }
    pictures = {"fit": "A network learns the sine"}
    printed = ("loss after 1000 steps: 0.00",)
