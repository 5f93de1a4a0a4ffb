"""LayoutCache of blocks (highlighted source, tabs) that were made before. They may be lost at any time.

A layout is HTML with `here(...)` where each output belongs, so it does not change when the outputs do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from codeout.cache.distributions import engine_stamp, installation_stamp
from codeout.cache.files import write_atomically
from codeout.cache.keys import digest


def here(device: str) -> str:
    """Return what stands in a layout for the output on a device; the name is empty if there is but one."""
    return f'<div class="codeout-here" title="{escape(device)}"></div>'


@dataclass(slots=True)
class LayoutCache:
    """The layouts of one site, kept in a file between builds."""

    file: Path
    settings: str  # a digest of what else a layout depends on: the site's extensions, the packages installed
    _known: dict[str, str] = field(default_factory=dict)
    _used: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path, extensions: object) -> LayoutCache:
        """Return what was kept, unless it was made by other packages or other settings of the site's extensions."""
        layouts = cls(
            file, digest(installation_stamp(), engine_stamp(), json.dumps(extensions, default=_name, sort_keys=True))
        )
        try:
            content = json.loads(file.read_text(encoding="utf8"))
            if content["settings"] == layouts.settings:
                layouts._known = {str(key): str(html) for key, html in content["layouts"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # there is none, or it is torn
        return layouts

    def get(self, parts: Mapping[str, Any], make: Callable[[], str]) -> str:
        """Return the layout that is made from these parts."""
        key = digest(sorted(parts.items()))
        self._used[key] = self._known.get(key) or self._used.get(key) or make()
        return self._used[key]

    def save(self) -> None:
        """Keep the layouts that were used since the last time."""
        if self._used != self._known:
            content = json.dumps({"settings": self.settings, "layouts": self._used})
            try:
                write_atomically(self.file, content.encode())
            except OSError:
                return  # the store says so when it keeps a run
        self._known, self._used = self._used, {}


def _name(value: object) -> str:
    """Return what stands for a setting that is no plain value: a function's name, not its address."""
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
