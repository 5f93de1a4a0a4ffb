"""Helpers that convert a page of Markdown without a generator, and without running its blocks."""

from __future__ import annotations

from pathlib import Path

from markdown import Markdown
from markdown_exec import formatter, validator

from codeout import Block, Config
from codeout.cache.lookup import Lookup
from codeout.markdown.extension import CodeoutExtension
from codeout.markdown.page_blocks import ConvertedPage
from codeout.markdown.site import CacheResolver, CurrentPage, Host, Site

LANGUAGES = ("python", "py", "pycon", "bash")


def convert_page(
    text: str,
    root: Path | None = None,
    path: str = "docs/p.md",
    *,
    strict: bool = False,
    section_checks: bool = False,
    **snippets: object,
) -> ConvertedPage:
    """Return what the conversion of a page leaves behind; its blocks are not run.

    Args:
        text: the page as its author wrote it, front matter included.
        root: the folder of the site.
        path: of the page.
        strict: whether undefined values are errors.
        section_checks: whether code below a snippet section belongs to it.
        snippets: options of `pymdownx.snippets`; without any, the page includes nothing.

    Raises:
        CodeoutError: the page has a mistake.
    """
    host = _Host()
    config = Config(root=root or Path.cwd(), strict_values=strict, section_checks=section_checks)
    site = Site(
        config=config, resolver=CacheResolver(Lookup(config)), host=host, announced=CurrentPage(path=path, text=text)
    )
    fences = [{"name": name, "class": name, "validator": validator, "format": formatter} for name in LANGUAGES]
    settings: dict[str, dict[str, object]] = {
        "pymdownx.superfences": {"custom_fences": fences},
        "pymdownx.tabbed": {"alternate_style": True},
        "admonition": {},
        **({"pymdownx.snippets": {"check_paths": True, **snippets}} if snippets else {}),
    }
    body = text.partition("---\n")[2].partition("---\n")[2] if text.startswith("---\n") else text
    Markdown(extensions=[*settings, CodeoutExtension(site)], extension_configs=settings).convert(body)
    return host.pages[0]


def find_blocks(text: str, root: Path | None = None, path: str = "docs/p.md", **snippets: object) -> list[Block]:
    """Return the blocks of a page.

    Raises:
        CodeoutError: the page has a mistake.
    """
    return [
        each.block for each in convert_page(text, root, path, strict=False, section_checks=False, **snippets).blocks
    ]


class _Host(Host):
    """Keeps converted pages."""

    def __init__(self) -> None:
        self.pages: list[ConvertedPage] = []

    def take_page(self, page: ConvertedPage) -> None:
        self.pages.append(page)
