"""What a notebook or a script consists of: text and code, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec


class TextCell(msgspec.Struct, frozen=True):
    """Markdown."""

    text: str
    attachments: Mapping[str, bytes] = msgspec.field(default_factory=dict)
    """Files that the text refers to as `attachment:NAME`, by name."""


class CodeCell(msgspec.Struct, frozen=True):
    """Code that runs."""

    code: str
    tags: frozenset[str] = frozenset()
    """What its author has said about it, such as `hide-input`."""
    error: str = ""
    """The type of the exception that it raised when it was saved."""


Cell: TypeAlias = TextCell | CodeCell
