"""The snippet of docs/index.md: a script that runs alone, and what its page shows of it."""

from __future__ import annotations

from page_tests import PageTests, PictureTests


class TestIndex(PageTests, PictureTests):
    page = "index"
    rows = {  # row of the source's inventory: section, what its Out shows; None: it shows none
        "home": ("fit", r"(?s).*loss after 1000 steps: 0\.00\d+"),
    }
    pictures = {"fit": "A network learns the sine"}
    printed = ("loss after 1000 steps: 0.00",)  # by the script, with placeholders for data
