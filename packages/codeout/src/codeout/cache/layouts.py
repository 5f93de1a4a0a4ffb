"""Cached layouts of blocks: highlighted source and tabs, with a slot where each output belongs.

Outputs are not part of a layout, so it does not change when they do. Drawings as pages show them, and what was found
out about them, are kept beside the layouts. The cache may be lost at any time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from codeout.cache.distributions import engine_stamp, installation_stamp, local_stamp
from codeout.cache.files import load_memo, save_memo
from codeout.cache.keys import digest

MAX_CHARACTERS = 20_000_000
"""Of all entries; in the file, a character takes six bytes at most."""


class _StoredLayouts(msgspec.Struct):
    settings: str
    layouts: dict[str, str]


_decoder = msgspec.json.Decoder(_StoredLayouts)


class LayoutCache(msgspec.Struct):
    """The layouts of one site, kept in a file between builds."""

    file: Path
    settings: str
    """A digest of what else a layout depends on: the site's extensions and the installed packages."""
    _loaded_layouts: dict[str, str] = msgspec.field(default_factory=dict)
    _used_layouts: dict[str, str] = msgspec.field(default_factory=dict)

    @classmethod
    def load(cls, file: Path, extensions: object) -> LayoutCache:
        """Read the cache; it starts empty if packages or settings of the site's extensions have changed since."""
        stamps = installation_stamp(), engine_stamp(), local_stamp()
        layouts = cls(file, digest(stamps, json.dumps(extensions, default=_name_of, sort_keys=True)))
        content = load_memo(file, _decoder)
        if content and content.settings == layouts.settings:
            layouts._loaded_layouts = content.layouts
        return layouts

    def get(self, parts: Mapping[str, Any], make: Callable[[], str]) -> str:
        """Return the layout that `make` makes of these parts."""
        key = digest(sorted(parts.items()))
        self._used_layouts[key] = self._loaded_layouts.get(key) or self._used_layouts.get(key) or make()
        return self._used_layouts[key]

    def save(self) -> None:
        """Write the layouts that were used since the last time."""
        layouts = _shortest(self._used_layouts)
        if layouts != self._loaded_layouts:
            save_memo(self.file, _StoredLayouts(self.settings, layouts))
        self._loaded_layouts, self._used_layouts = layouts, {}


def _shortest(entries: Mapping[str, str]) -> dict[str, str]:
    """Return the entries that fit into the file; a few large drawings must not push out all that is small."""
    shortest, room = {}, MAX_CHARACTERS
    for key, text in sorted(entries.items(), key=lambda entry: len(entry[1])):
        room -= len(text)
        if room < 0:
            break
        shortest[key] = text
    return shortest


def _name_of(value: object) -> str:
    """Return the name of a setting that is not plain data, such as a function, instead of its address."""
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
