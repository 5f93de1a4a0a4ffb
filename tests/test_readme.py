"""The README's installation commands."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def pins(text: str) -> set[str]:
    return {*re.findall(r"\b(?:torch|torchvision)==[\d.]+", text)}


def test_the_cpu_wheels_have_the_versions_of_the_requirements() -> None:
    required = pins((ROOT / "requirements.txt").read_text("utf8"))
    assert len(required) == 2
    assert pins((ROOT / "README.md").read_text("utf8")) == required
