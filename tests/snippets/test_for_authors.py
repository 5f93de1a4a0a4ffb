"""The snippet of docs/for_authors.md: its page shows its outputs."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from page_tests import PictureTests, out, soup, text_of


class TestForAuthors(PictureTests):
    page = "for_authors"
    pictures: ClassVar = {"figure": "Letters in each word"}

    def test_the_page_shows_what_it_describes(self, site: Path) -> None:
        shown = {
            section: text_of(tag)
            for section in ("value", "error", "sweep", "time")
            if (tag := out(site, self.page, section))
        }
        assert shown["value"] == "9 words'quick'"
        assert "IndexError: list index out of range" in shown["error"]
        assert shown["sweep"].count("pi is about 3.") == 4
        assert shown["time"].endswith(" ms")
        assert "the longest words have 5 letters" in soup(site, self.page).get_text()
