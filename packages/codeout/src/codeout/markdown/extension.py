"""Entry point: the Python-Markdown extension that has the Python blocks of pages run by the engine.

markdown-exec finds the fences, reads their options and lays out source and result; where it would run Python itself,
it gets a placeholder, which is filled in when the conversion of the page is over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor
from markdown_exec import formatter, formatters, markdown_config

from codeout.config import Config
from codeout.errors import CodeoutError
from codeout.markdown.annotations import ListFinder
from codeout.markdown.convert import FenceError, convert_page
from codeout.markdown.fences import LANGUAGES
from codeout.markdown.page import CURRENT, PageConversion
from codeout.markdown.site import BuildResolver, Site
from codeout.markdown.snippets import stamp_included_files
from codeout.markdown.values import START, CodeRestorer, mark_values
from codeout.run.engine import Engine

NAME = "codeout"


class CodeoutExtension(Extension):
    """Has the Python blocks of pages run by the engine. The options are those of `Config`."""

    def __init__(self, site: Site | None = None, **options: Any) -> None:
        """Take the options of the configuration file, or the site that a plugin has set up from them."""
        super().__init__()
        self._site = site
        # They are checked when the first page is converted: MkDocs would show a traceback of a mistake now.
        root = Path(options.pop("root", None) or os.environ.get("MKDOCS_CONFIG_DIR") or Path.cwd())
        self._options = {"root": root, **options}

    @property
    def site(self) -> Site:
        """The site whose pages are converted.

        Raises:
            PageError: an option is unknown or invalid.
        """
        if self._site is None:
            config = Config.from_options(self._options)
            self._site = Site(config=config, resolver=BuildResolver(Engine(config)))
        return self._site

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 (the name that Python-Markdown calls)
        """Wrap the conversion, and register what follows stamps, marks values and finds lists of annotations."""
        md.registerExtension(self)
        convert = md.convert
        md.convert = lambda source: convert_page(self.site, md, convert, source)  # type: ignore[method-assign]
        md.preprocessors.register(_Step(md, _stamp_files), f"{NAME}-stamps", 32.5)  # before snippets (32)
        md.preprocessors.register(_Step(md, _collect_text), f"{NAME}-text", 31.5)  # after snippets, before fences (25)
        md.preprocessors.register(_Step(md, _mark_values), f"{NAME}-values", 24.5)  # after fences, before HTML (20)
        restore = CodeRestorer(md, lambda text: page.restore(text) if (page := CURRENT.get()) else text)
        md.treeprocessors.register(restore, f"{NAME}-code", 31)  # before highlighting (30)
        finder = ListFinder(md, lambda html: page.blocks.find_claim(html) if (page := CURRENT.get()) else None)
        md.treeprocessors.register(finder, f"{NAME}-annotations", -1)  # when its text is done: after `unescape` (0)


class _Step(Preprocessor):
    """Changes the lines for the page that is being converted, whichever Markdown instance converts this part of it."""

    def __init__(self, md: Markdown, change: Callable[[Markdown, PageConversion, list[str]], list[str]]) -> None:
        super().__init__(md)
        self._change = change

    def run(self, lines: list[str]) -> list[str]:
        page = CURRENT.get()
        return self._change(self.md, page, lines) if page else lines


def _stamp_files(md: Markdown, page: PageConversion, lines: list[str]) -> list[str]:
    stamp_included_files(md, page.sources.name)
    return lines


def _collect_text(md: Markdown, page: PageConversion, lines: list[str]) -> list[str]:
    """Have the page take its text with everything that it includes, free of what looks like our marks."""
    lines = [line.replace(START, "\ufffd") for line in lines]
    return page.take_text("\n".join(lines)).split("\n") if page.md is md else lines


def _mark_values(md: Markdown, page: PageConversion, lines: list[str]) -> list[str]:
    is_nested = page.md is not md
    return mark_values(md, lines, add=page.add_reference, last_in=page.blocks.last_in, is_nested=is_nested)


def is_executed(fence: Mapping[str, Any]) -> bool:
    """Return whether markdown-exec handles a custom fence of superfences."""
    return fence.get("format") is formatter


def forget_generator() -> None:
    """Have markdown-exec forget the extensions of a site that a generator has loaded."""
    markdown_config.reset()


def _format(original: Callable[..., str], language: str, **arguments: Any) -> str:
    """Replace markdown-exec's formatter of Python: register the block with its page."""
    page = CURRENT.get()
    if page is None:
        return original(**arguments)
    try:
        return page.register({"language": "pycon" if language == "pycon" else "python", **arguments})
    except FenceError:
        raise
    except CodeoutError as problem:  # superfences lets no other exception through
        raise FenceError(str(problem)) from problem


# Here, since markdown-exec has one table of formatters in a process.
_table: dict[str, Any] = formatters
_table.update({language: partial(_format, _table[language], language) for language in LANGUAGES})
