"""Write `llms.txt`, a list of the site's pages as Markdown for language models (https://llmstxt.org).

The Markdown of a page with blocks is one of its downloads. The others are written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

from codeout.render.cells import portable_markdown


@dataclass(frozen=True)
class Entry:
    """A page, as `llms.txt` lists it."""

    source: str
    """The path of its source."""
    title: str
    description: str
    path: str
    """Of its Markdown, relative to the site."""
    text: str
    """Its source."""


_entries: list[Entry] = []
_order: list[str] = []


def on_pre_build(config: MkDocsConfig) -> None:
    """Forget the pages of the last build."""
    _entries.clear()


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> None:
    """Note the order of the pages."""
    _order[:] = [page.file.src_uri for page in nav.pages]


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> None:
    """Note a page."""
    path = Path(page.file.dest_uri).with_name(f"{Path(page.file.src_uri).stem}.md")
    texts = (str(page.title), str(page.meta.get("description", "")), path.as_posix(), page.markdown or "")
    _entries.append(Entry(page.file.src_uri, *texts))


def on_post_build(config: MkDocsConfig) -> None:
    """Write the Markdown that is missing, and the list."""
    folder, base = Path(config.site_dir), config.site_url or ""
    for entry in _entries:
        path = folder / entry.path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(portable_markdown(entry.text, base), encoding="utf8")
    lines = [f"# {config.site_name}", f"> {config.site_description}", "## Pages"]
    entries = sorted(_entries, key=lambda each: _order.index(each.source) if each.source in _order else len(_order))
    links = [f"- [{each.title}]({urljoin(base, each.path)}): {each.description}" for each in entries]
    (folder / "llms.txt").write_text("\n\n".join([*lines, "\n".join(links)]) + "\n", encoding="utf8")
