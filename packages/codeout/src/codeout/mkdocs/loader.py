"""Load a site as MkDocs does, plugins included, up to the converted pages, without running or writing anything."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from codeout.cache.build_record import RecordedPage, find_recorded_cache, read_record
from codeout.config import Config
from codeout.errors import PageError

NAMES = ("mkdocs.yml", "mkdocs.yaml", "properdocs.yml", "properdocs.yaml")
"""Configuration files, in the order in which they are looked for."""


class LoadedSite(msgspec.Struct, frozen=True):
    """A site with the blocks of its pages."""

    config: Config
    url: str
    """The address of the site; empty if unknown."""
    pages: tuple[RecordedPage, ...]
    """The pages with blocks, in the order in which they are built."""


def find_config_file(folder: Path) -> Path:
    """Return the configuration file of a folder.

    Raises:
        PageError: there is none.
    """
    for name in NAMES:
        if (folder / name).is_file():
            return folder / name
    raise PageError(f"{NAMES[0]}:1: not found; name the site's configuration file: codeout -f FILE COMMAND")


def load_site(config_file: Path) -> LoadedSite:
    """Load a site through its generator, or from the record of its last build where no generator is installed.

    Raises:
        PageError: the configuration or a page has a mistake.
    """
    if not config_file.is_file():
        raise PageError(f"{config_file}:1: not found")
    generator = _generator(config_file)
    return _convert(config_file, generator) if generator else _recorded(config_file)


def _generator(config_file: Path) -> str:
    """Return the package of the site's generator; empty if none is installed."""
    preferred = ("properdocs", "mkdocs") if config_file.name.startswith("properdocs") else ("mkdocs", "properdocs")
    installed = [name for name in preferred if importlib.util.find_spec(name)]
    if installed and installed[0] == "properdocs":
        importlib.import_module("properdocs.replacement")  # has plugins of MkDocs import ProperDocs
    return installed[0] if installed else ""


def _recorded(config_file: Path) -> LoadedSite:
    """Return the site as its last build recorded it, wherever its cache is."""
    root = config_file.resolve().parent
    found = find_recorded_cache(Config(root=root))
    record = read_record(found)
    options = {"root": root, "cache": found.cache, **(record.options if record else {})}
    config = Config.from_options(options, config_file.name)
    record = read_record(config)
    if record is None:
        raise PageError(f"{config_file}:1: no site generator is installed, and {config.memo} records no build")
    return LoadedSite(config, record.url, record.pages)


def _convert(config_file: Path, generator: str) -> LoadedSite:
    """Run the part of a build that converts pages."""
    from mkdocs.exceptions import MkDocsException

    from codeout.mkdocs.plugin import CodeoutPlugin

    base = importlib.import_module(f"{generator}.config")
    with _contained(generator):
        try:
            config = base.load_config(str(config_file.resolve()))
            plugin = config.plugins.get("codeout") or config.plugins.get("codeout/codeout")
            if not isinstance(plugin, CodeoutPlugin):
                plugin = CodeoutPlugin()
                config.plugins["codeout"] = plugin
            plugin.mode = "collect"
            if projects := config.plugins.get("material/projects"):
                projects.config.enabled = False  # it would build all of them, each with a cache of its own
            config.plugins.on_startup(command="build", dirty=False)
            _convert_pages(config, generator)
        except MkDocsException as problem:
            raise PageError(str(problem)) from problem
        finally:
            if "plugin" in locals():
                plugin.on_shutdown()
    return LoadedSite(plugin.site.config, config.site_url or "", tuple(plugin.recorded_pages()))


def _convert_pages(config: Any, generator: str) -> None:
    """Do what a build does before it writes: the same events, in the same order."""
    files_module = importlib.import_module(f"{generator}.structure.files")
    navigation = importlib.import_module(f"{generator}.structure.nav")
    pages = importlib.import_module(f"{generator}.structure.pages")
    config = config.plugins.on_config(config)
    config.plugins.on_pre_build(config=config)
    files = files_module.get_files(config)
    env = config.theme.get_env()
    files.add_files_from_theme(env, config)
    files = config.plugins.on_files(files, config=config)
    files_module.set_exclusions(files, config)
    config.plugins.on_nav(navigation.get_navigation(files, config), config=config, files=files)
    for file in files.documentation_pages():
        page = config._current_page = file.page or pages.Page(None, file, config)  # noqa: SLF001 (for `!relative`)
        page = config.plugins.on_pre_page(page, config=config, files=files)
        page.read_source(config)
        page.markdown = config.plugins.on_page_markdown(page.markdown, page=page, config=config, files=files)
        page.render(config, files)
        page.content = config.plugins.on_page_content(page.content, page=page, config=config, files=files)
    config._current_page = None  # noqa: SLF001
    config.plugins.on_env(env, config=config, files=files)


@contextmanager
def _contained(generator: str) -> Iterator[None]:
    """Log errors only, and undo what plugins change in this process, as a build does at its end."""
    from codeout.markdown.extension import forget_generator  # here: markdown-exec imports the generator that is chosen

    environment, logger = dict(os.environ), logging.getLogger(generator)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        os.environ.clear()
        os.environ.update(environment)
        forget_generator()
