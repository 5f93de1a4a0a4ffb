"""Run the Python blocks of a MkDocs site at build time, and publish what they really produced.

The public names are imported on first use (PEP 562), so that a kernel process starts without loading the build.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codeout.cache.store import RunStore
    from codeout.config import Config
    from codeout.errors import BlockError, CodeoutError, PageError
    from codeout.model.blocks import Block
    from codeout.model.outputs import Error, Figure, Output, Provenance, Run, Source, Stream, Value
    from codeout.run.engine import Engine

__all__ = [
    "Block",
    "BlockError",
    "CodeoutError",
    "Config",
    "Engine",
    "Error",
    "Figure",
    "Output",
    "PageError",
    "Provenance",
    "Run",
    "RunStore",
    "Source",
    "Stream",
    "Value",
]

_MODULES = {
    "codeout.cache.store": ("RunStore",),
    "codeout.config": ("Config",),
    "codeout.errors": ("BlockError", "CodeoutError", "PageError"),
    "codeout.model.blocks": ("Block",),
    "codeout.model.outputs": ("Error", "Figure", "Output", "Provenance", "Run", "Source", "Stream", "Value"),
    "codeout.run.engine": ("Engine",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name on first use.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
