"""What the plugin adds to pages: links to notebooks and scripts, the overview of outputs, and files for large data."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence, Set
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from mkdocs.exceptions import PluginError
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

from codeout.cache.store import RunStore
from codeout.markdown.page_blocks import TOKEN, ConvertedPage
from codeout.markdown.site import Site
from codeout.render import overview
from codeout.render.export import Exports
from codeout.render.pictures import SitePictures

FOLDER = "assets/outputs"  # of the site, for large data of outputs
UNKNOWN_URL = f"codeout-{TOKEN}:"  # stands for the URL of that folder
COMPAT = '<div class="codeout-compat"></div>'  # what a page writes where the table of versions belongs
LINK_TEXTS = {"ipynb": "Notebook", "py": "Script", "md": "Markdown"}


class PageExtras(msgspec.Struct, frozen=True, kw_only=True):
    """Adds to the pages of one build."""

    site: Site
    pages: Mapping[str, ConvertedPage]
    """The pages that are converted so far, by their paths."""
    files: Mapping[str, Any]
    """The file of each page of the site, by the page's path."""
    destinations: Set[str]
    """Where the files of the site are written."""
    url: str
    """The address of the site; empty if unknown."""
    site_dir: str
    """Where the site is written; empty where downloads and data are not: by a server."""

    def links(self, page: ConvertedPage) -> list[str]:
        """Write what can be downloaded of a page; return links to it, and to where else the page can be opened.

        Raises:
            PluginError: a download would take the place of a file of the author's.
        """
        file = self.files.get(page.path)
        if file is None:
            return []
        downloads = self._downloads(page, file) if self.site_dir and page.runs else ()
        return [*downloads, *self._links_elsewhere(file)]

    def _downloads(self, page: ConvertedPage, file: Any) -> Iterator[str]:
        exports = Exports(self.site.config, self.url)
        folder = Path(file.abs_dest_path).parent
        for kind in self.site.config.downloads:
            name = f"{Path(file.src_uri).stem}.{kind}"
            target = (Path(file.dest_uri).parent / name).as_posix()
            if target in self.destinations:
                raise PluginError(
                    f"{page.path}:1: the download {name!r} would overwrite your file {target!r}; "
                    "rename one of them, or remove its kind from `downloads`"
                )
            folder.mkdir(parents=True, exist_ok=True)
            blocks = [each.block for each in page.blocks]
            shutil.copyfile(exports.get(page.text_with_holes(), blocks, page.runs, kind), folder / name)
            yield f'<a href="{quote(name)}" download>{LINK_TEXTS[kind]}</a>'

    def _links_elsewhere(self, file: Any) -> Iterator[str]:
        """Yield links to where else a page can be opened; not those whose address needs a variable that is not set."""
        name = str(Path(file.src_uri).with_suffix("")).replace(os.sep, "/")
        for text, url in self.site.config.open_in.items():
            variables = {each: os.environ.get(each, "") for each in re.findall(r"{([A-Z][A-Z0-9_]*)}", url)}
            if all(variables.values()):
                yield f'<a href="{escape(url.format_map({**variables, "page": quote(name)}))}">{escape(text)}</a>'

    def fill_overviews(self, html: str, page: Page, pages: Sequence[Page]) -> str:
        """Return the HTML of a page with the overview of outputs and the table of versions where it asks for them."""
        if overview.MARKER in html:
            html = html.replace(overview.MARKER, self._overview(page, pages))
        if COMPAT in html:
            from codeout.publish import compat  # on use, so that a build without such a page starts quickly

            docs_dir = self.site.config.docs_dir
            titles = {f"{docs_dir}/{each.file.src_uri}": str(each.title) for each in pages}
            html = html.replace(COMPAT, compat.table(compat.read_results(self.site.config), titles))
        return html

    def _overview(self, page: Page, pages: Sequence[Page]) -> str:
        def render() -> str:
            rows = list(self._rows(page, pages))
            return overview.facts(rows, self.site.config.gpu) + overview.table(rows)

        if not self.site.resolver.is_live:
            return render()
        blocks = [each.state.name for converted in self.pages.values() for each in converted.blocks]
        attributes = self.site.live.add_dependent("overview", "overview", blocks, render)
        return f"<div {attributes}>{render()}</div>"

    def _rows(self, here: Page, pages: Sequence[Page]) -> Iterator[overview.Row]:
        now = self.site.resolver.run_now
        count = RunStore(self.site.config.path(self.site.config.cache)).pictures.count_characters
        for page in pages:
            converted = self.pages.get(self.site.host.path_of(page.file))
            url = get_relative_url(page.url, here.url)
            for each in converted.blocks if converted else ():
                own = now(each.state.name) or each.state.run
                for run in (own, *each.state.recordings):
                    if run:
                        yield overview.Row(
                            page=str(page.title),
                            url=f"{url}#{each.id}",
                            block=each.block,
                            run=run,
                            size=count(run),
                            is_recording=run is not own,
                        )

    def pictures(self, url: str | None) -> SitePictures:
        """Return what puts pictures beside the pages of the site; the URL of an excerpt's page is not known yet."""
        layouts = self.site.layouts

        def remembered(svg: bytes) -> bool:
            if layouts is None:
                return is_drawing(svg)
            return layouts.get({"only_draws": sha256(svg).hexdigest()}, lambda: str(is_drawing(svg))) == str(True)

        def url_of(name: str) -> str:
            return f"{UNKNOWN_URL}{name}" if url is None else get_relative_url(f"{FOLDER}/{name}", url)

        folder = RunStore(self.site.config.path(self.site.config.cache)).pictures
        return SitePictures(folder, Path(self.site_dir) / FOLDER, url_of, remembered)

    @staticmethod
    def fill_in_urls(html: str, url: str) -> str:
        """Return the HTML of a page with the URLs that were not known when its parts were converted."""
        return html.replace(UNKNOWN_URL, get_relative_url(f"{FOLDER}/", url) + "/") if UNKNOWN_URL in html else html


def is_drawing(svg: bytes) -> bool:
    """Return whether SVG only draws, so that a file with it can do nothing when a browser opens it by itself."""
    # On use, so that a build without such drawings starts quickly.
    from codeout.recordings.limits import InvalidRecording, PictureBudget
    from codeout.recordings.svg import check_svg
    from codeout.render.svg import SCHEME_STYLE

    try:
        check_svg(svg.decode().replace(SCHEME_STYLE, ""), PictureBudget())
    except (UnicodeDecodeError, InvalidRecording):
        return False
    return True
