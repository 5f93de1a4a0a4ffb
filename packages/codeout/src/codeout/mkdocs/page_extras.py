"""What door 2 adds to a page that is built: how all outputs were made, and a notebook and a script to take away."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

from codeout.cache.store import MEMO
from codeout.markdown.page import Planned, Site
from codeout.mkdocs.assets import outside
from codeout.model.blocks import Block, anchors
from codeout.model.outputs import Run, count_characters
from codeout.render import overview
from codeout.render.export import Exports

FOLDER = "assets/outputs"  # of the site, for large data of outputs
COMPAT = '<div class="codeout-compat"></div>'  # what a page writes where the table of versions belongs
DOWNLOADS = {"ipynb": "Notebook", "py": "Script"}


@dataclass(frozen=True, slots=True)
class PageExtras:
    """Adds to the pages of one build."""

    site: Site
    config: MkDocsConfig
    pages: Sequence[Page]  # of the site
    building: bool  # and not serving

    def added(self, output: str, page: Page) -> str:
        """Return the HTML of a page with what is added, once all its blocks have run."""
        ran = list(self._ran(page))
        if ran:
            links = "".join(f" · {link}" for link in (*self._downloads(page, ran), *self._elsewhere(page)))
            output = re.sub(r'(?<=<p class="codeout-sentence">)[^<]*', lambda match: match[0] + links, output, count=1)
        if overview.MARKER in output:
            rows = list(self._rows(page))
            facts = overview.facts(rows, self.site.engine.config.gpu)
            output = output.replace(overview.MARKER, facts + overview.table(rows))
        if COMPAT in output:
            from codeout.publish import compat  # here, so that a build with no such page is quick

            config = self.site.engine.config
            titles = {f"{config.docs_dir}/{each.file.src_uri}": str(each.title) for each in self.pages}
            output = output.replace(COMPAT, compat.table(compat.read_results(config), titles))
        return self._lighter(output, page) if self.building else output

    def _lighter(self, output: str, page: Page) -> str:
        """Write large data beside the pages of the site, instead of into them."""
        output, found = outside(output, lambda name: get_relative_url(f"{FOLDER}/{name}", page.url))
        for name, content in found.items():
            file = Path(self.config.site_dir) / FOLDER / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return output

    def _ran(self, page: Page) -> Iterator[tuple[Block, Run]]:
        """Yield the blocks of a page with their runs; nothing while one has not run."""
        blocks, seen = self._planned(page)
        if all(each.run for each in seen):
            yield from ((block, each.run) for block, each in zip(blocks, seen, strict=True) if each.run)

    def _planned(self, page: Page) -> Planned:
        path = f"{self.site.engine.config.docs_dir}/{page.file.src_uri}"
        return next((planned for (name, _, _), planned in self.site.known.items() if name == path), ([], []))

    def _rows(self, here: Page) -> Iterator[overview.Row]:
        for page in self.pages:
            url = get_relative_url(page.url, here.url)
            blocks, seen = self._planned(page)
            for block, each, anchor in zip(blocks, seen, anchors(blocks), strict=True):
                for run in (each.run, *each.beside):
                    if run:
                        size, recorded = count_characters(run), run is not each.run
                        yield overview.Row(str(page.title), f"{url}#{anchor}", block, run, size, recorded)

    def _elsewhere(self, page: Page) -> Iterator[str]:
        """Yield links to where else a page can be opened; not those whose address needs a variable that is not set."""
        name = page.file.src_uri.removesuffix(".md")
        for words, url in self.site.engine.config.open_in.items():
            known = {variable: os.environ.get(variable, "") for variable in re.findall(r"{([A-Z][A-Z0-9_]*)}", url)}
            if all(known.values()):
                yield f'<a href="{escape(url.format_map({**known, "page": name}))}">{escape(words)}</a>'

    def _downloads(self, page: Page, ran: Sequence[tuple[Block, Run]]) -> Iterator[str]:
        """Write a page as what it is to be taken away as, beside it; yield links."""
        settings = self.site.engine.config
        if not self.building or not settings.downloads:
            return
        exports = Exports(settings.path(settings.cache) / MEMO / "exports", settings, self.config.site_url or "")
        folder = (Path(self.config.site_dir) / page.file.dest_uri).parent
        folder.mkdir(parents=True, exist_ok=True)
        for kind in settings.downloads:
            name = f"{Path(page.file.src_uri).stem}.{kind}"
            shutil.copyfile(exports.get([block for block, _ in ran], [run for _, run in ran], kind), folder / name)
            yield f'<a href="{name}" download>{DOWNLOADS[kind]}</a>'
