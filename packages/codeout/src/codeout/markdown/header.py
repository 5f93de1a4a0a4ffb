"""What is said of a page under its title: how its blocks ran, and where to get it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from codeout.cache.keys import digest
from codeout.markdown.converted_page import ConvertedPage
from codeout.markdown.site import Site
from codeout.model.outputs import Run
from codeout.render.overview import placeholder_notice, sentence


def page_header(site: Site, page: ConvertedPage, links: Sequence[str] = ()) -> str:
    """Return the HTML of the sentence under the title of a page; empty if the page has no blocks.

    Args:
        site: the site.
        page: the page.
        links: HTML of links that follow the sentence.
    """
    if not page.blocks or "sentence" not in site.config.page_notes:
        return ""
    if not site.resolver.is_live:
        return _sentence(page.runs, page, links)
    name = f"{page.path} summary"
    key = digest([state.key for state in page.states])[:16]

    def render() -> str:
        runs = [site.resolver.run_now(state.name) or state.run for state in page.states]
        return _sentence([run for run in runs if run], page, links) if all(runs) else ""

    attributes = site.add_dependent(name, key, [state.name for state in page.states], render)
    return f"<div {attributes}>{render()}</div>"


def _sentence(runs: Sequence[Run], page: ConvertedPage, links: Sequence[str]) -> str:
    text = sentence(runs, [run for state in page.states for run in state.recordings])
    words = " · ".join([escape(text), *links])
    html = f'<p class="codeout-sentence" data-search-exclude>{words}</p>'
    notice = placeholder_notice(runs)
    return html + (f'<p class="codeout-placeholder">{escape(notice)}</p>' if notice else "")
