"""codeout: the code blocks of a MkDocs site, run while the site is built, with outputs that cannot go stale.

page text → `blocks` → `keys` → `store` → (on a miss: `run` → `child` → `worker`) → `render` → HTML of the Out tab.
"""

from codeout.blocks import Block, Finder
from codeout.config import Config
from codeout.errors import BlockError, CodeoutError, PageError
from codeout.outputs import Error, Figure, Output, Provenance, Run, Source, Stream, Value
from codeout.run import Engine
from codeout.store import Store

__all__ = [
    "Block",
    "BlockError",
    "CodeoutError",
    "Config",
    "Engine",
    "Error",
    "Figure",
    "Finder",
    "Output",
    "PageError",
    "Provenance",
    "Run",
    "Source",
    "Store",
    "Stream",
    "Value",
]
