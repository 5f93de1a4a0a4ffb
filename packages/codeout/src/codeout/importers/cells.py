"""What a notebook or a script consists of: text and code, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class TextCell:
    """Markdown."""

    text: str
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    """Files that the text refers to as `attachment:NAME`, by name."""


@dataclass(frozen=True, slots=True)
class CodeCell:
    """Code that runs."""

    code: str
    tags: frozenset[str] = frozenset()
    """What its author has said about it, such as `hide-input`."""
    error: str = ""
    """The type of the exception that it raised when it was saved."""


Cell: TypeAlias = TextCell | CodeCell
