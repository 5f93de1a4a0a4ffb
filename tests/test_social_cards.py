"""The preview images of shared links: one for each page of a site whose address is known."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import social_cards
from site_helpers import ROOT

LEFT, RIGHT = social_cards.EDGE, social_cards.SIZE[0] - social_cards.EDGE
MKDOCS_YML = """
site_name: Small
theme: mkdocs
hooks: [{hook}]
{url}
"""


@pytest.mark.parametrize(
    ("url", "cards"),
    [("", []), ("site_url: https://example.org/", ["index.png", "second.png"])],
    ids=["without an address", "with one"],
)
def test_each_page_of_a_site_with_an_address_has_a_card(tmp_path: Path, url: str, cards: list[str]) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("index", "second"):
        (tmp_path / "docs" / f"{name}.md").write_text(f"# {name}\n")
    (tmp_path / "mkdocs.yml").write_text(MKDOCS_YML.format(hook=ROOT / "hooks" / "social_cards.py", url=url))
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"], cwd=tmp_path, check=True)
    assert sorted(path.name for path in (tmp_path / "site").glob("assets/cards/*")) == cards


def colors(picture: Image.Image, box: tuple[int, int, int, int]) -> int:
    """Return the number of colors in a part of a picture."""
    found = picture.crop(box).getcolors(maxcolors=1_000_000)
    assert found is not None
    return len(found)


def test_a_description_stays_inside_of_the_margins() -> None:
    card = Image.open(io.BytesIO(social_cards.card("Site", "A title", "words " * 40, "")))
    assert card.size == social_cards.SIZE
    assert colors(card, (0, 260, LEFT, 520)) == colors(card, (RIGHT + 10, 260, card.width, 520)) == 1
    assert colors(card, (LEFT, 260, RIGHT, 520)) > 1


def test_a_card_without_a_description_has_room_there() -> None:
    card = Image.open(io.BytesIO(social_cards.card("Site", "A title", "", "")))
    assert colors(card, (0, 260, card.width, 500)) == 1
