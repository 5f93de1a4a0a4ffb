"""What codeout needs of a MkDocs site, and the settings that the site has for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

from codeout.config import Config
from codeout.errors import CodeoutError
from codeout.markdown.extension import NAME, is_executed
from codeout.mkdocs.paths import PagePaths, site_root


def read_settings(config: MkDocsConfig, options: dict[str, Any], source: str, *, serves: bool) -> Config:
    """Return the settings of a site.

    Args:
        config: the site's, as MkDocs has read it.
        options: those of the extension.
        source: the name of the site's configuration file, for messages.
        serves: whether a server runs: errors show on their pages, and edits resume from checkpoints.

    Raises:
        PluginError: the site lacks what blocks need to run, or an option is invalid.
    """
    for need in _missing_parts(config):
        raise PluginError(f"{source}:1: codeout needs {need}")
    try:
        settings = Config.from_options({"root": site_root(config), **options}, source)
    except CodeoutError as problem:
        raise PluginError(str(problem)) from problem
    return msgspec.structs.replace(
        settings,
        docs_dir=PagePaths(config, settings.root).docs_dir,
        errors="show" if serves else settings.errors,
        checkpoints=serves or settings.checkpoints,
    )


def _missing_parts(config: MkDocsConfig) -> Iterator[str]:
    """Yield what a site lacks for its blocks to run, to complete "needs"."""
    names = config.markdown_extensions
    if NAME not in names:
        yield "`- codeout` under `markdown_extensions` as well"
    if not {"pymdownx.superfences", "pymdownx.extra"} & {*names}:
        yield "`- pymdownx.superfences` under `markdown_extensions`"
    fences = (config.mdx_configs.get("pymdownx.superfences") or {}).get("custom_fences") or ()
    if "markdown-exec" not in config.plugins and not any(is_executed(fence) for fence in fences):
        yield "`- markdown-exec` under `plugins`: it finds the blocks to run"
