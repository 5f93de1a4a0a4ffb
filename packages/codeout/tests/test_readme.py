"""The README documents every setting, command and block option, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec.structs import fields

from codeout import Config
from codeout.cli.main import SECTIONS
from codeout.markdown.options import OWN_OPTIONS

README = (Path(__file__).parents[1] / "README.md").read_text("utf8")


def first_column(heading: str) -> list[str]:
    """Return the first word in code of each row of the tables below a heading."""
    section = re.split(r"^##+ ", README.partition(f"## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^\| `(?:codeout )?(\w+)", section, re.MULTILINE)


def test_every_setting_is_documented() -> None:
    assert {*first_column("Settings")} == {field.name for field in fields(Config)} - {"source"}


def test_every_command_is_documented() -> None:
    assert first_column("Commands") == [command.name for commands in SECTIONS.values() for command in commands]


def test_every_block_option_of_codeout_is_documented() -> None:
    assert sorted(first_column("Blocks")) == sorted(OWN_OPTIONS)
