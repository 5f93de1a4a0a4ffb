"""The sessions of this site: that a cold build can run all of them side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from markdown import Markdown
from markdown_exec import MarkdownExecPlugin
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import get_files
from mkdocs.structure.nav import get_navigation

from codeout.mkdocs.plugin import CodeoutPlugin
from codeout.model.blocks import Session, group_sessions
from site_helpers import ROOT


@pytest.fixture
def config() -> Iterator[MkDocsConfig]:
    """Return the settings of this site; afterwards, undo what only the end of a build would undo."""
    config = load_config(str(ROOT / "mkdocs.yml"))
    yield config
    plugin = config.plugins["markdown-exec"]
    assert isinstance(plugin, MarkdownExecPlugin)
    plugin.on_post_build(config=config)


def test_every_session_is_predicted_so_that_it_starts_before_its_page_is_converted(config: MkDocsConfig) -> None:
    plugin = config.plugins["codeout"]
    assert isinstance(plugin, CodeoutPlugin)
    plugin.mode = "collect"
    config = config.plugins.on_config(config)
    files = get_files(config)
    config.plugins.on_nav(get_navigation(files, config), config=config, files=files)
    md = Markdown(extensions=config.markdown_extensions, extension_configs=config.mdx_configs)
    predicted = described(plugin.predict(md))
    for file in files.documentation_pages():
        page = file.page
        assert page is not None
        page.read_source(config)
        page.markdown = config.plugins.on_page_markdown(page.markdown or "", page=page, config=config, files=files)
        page.render(config, files)
        config.plugins.on_page_content(page.content or "", page=page, config=config, files=files)
    converted = described(group_sessions([each.block for page in plugin.pages.values() for each in page.blocks]))
    assert predicted == converted
    assert len(converted) >= 6


def described(sessions: list[Session]) -> dict[str, list[tuple[str, str]]]:
    """Return the code of the blocks of each session, and where it is."""
    return {session.name: [(str(block.origin), block.code) for block in session.blocks] for session in sessions}
