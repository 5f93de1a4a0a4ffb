"""Cached layouts of blocks: highlighted source and tabs, with a slot where each output belongs.

Outputs are not part of a layout, so it does not change when they do. The cache may be lost at any time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codeout.cache.distributions import engine_stamp, installation_stamp
from codeout.cache.files import write_atomically
from codeout.cache.keys import digest


@dataclass(slots=True)
class LayoutCache:
    """The layouts of one site, kept in a file between builds."""

    file: Path
    """The file."""
    settings: str
    """A digest of what else a layout depends on: the site's extensions and the installed packages."""
    _loaded: dict[str, str] = field(default_factory=dict)
    _used: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path, extensions: object) -> LayoutCache:
        """Read the cache; it starts empty if packages or settings of the site's extensions have changed since."""
        layouts = cls(
            file, digest(installation_stamp(), engine_stamp(), json.dumps(extensions, default=_name_of, sort_keys=True))
        )
        try:
            content = json.loads(file.read_text(encoding="utf8"))
            if content["settings"] == layouts.settings:
                layouts._loaded = {str(key): str(html) for key, html in content["layouts"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # there is none, or it is torn
        return layouts

    def get(self, parts: Mapping[str, Any], make: Callable[[], str]) -> str:
        """Return the layout that `make` makes of these parts."""
        key = digest(sorted(parts.items()))
        self._used[key] = self._loaded.get(key) or self._used.get(key) or make()
        return self._used[key]

    def save(self) -> None:
        """Write the layouts that were used since the last time."""
        if self._used != self._loaded:
            content = json.dumps({"settings": self.settings, "layouts": self._used})
            try:
                write_atomically(self.file, content.encode())
            except OSError:
                return  # the cache of runs logs it
        self._loaded, self._used = self._used, {}


def _name_of(value: object) -> str:
    """Return the name of a setting that is not plain data, such as a function, instead of its address."""
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
