"""Door 1: a Python-Markdown extension that puts the engine behind markdown-exec's fences.

markdown-exec goes on to find the fences, read their options and lay out source and result; where it would run
Python itself, it meets the runs of the engine. A page is planned when its conversion begins: all its blocks are
known, and run, before the first is shown.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor
from markdown_exec import MarkdownConverter, base_format, formatters
from pymdownx.superfences import SuperFencesException

from codeout.blocks import LANGUAGES, Block, Finder
from codeout.config import Config
from codeout.errors import CodeoutError
from codeout.outputs import Run, Stream, Value
from codeout.render import Renderer
from codeout.run import Engine

OURS = ("raises", "timeout")  # options of a block that markdown-exec does not know
NAME = "codeout"


class FenceError(SuperFencesException, CodeoutError):
    """A mistake found while a fence is formatted; superfences lets no other exception through."""


@dataclass(slots=True)
class Site:
    """What the conversions of one site share: the engine, and the page that is being converted."""

    engine: Engine
    page: str = "page"  # the path of the page, if a plugin has told it
    offset: int = 0  # lines of its file above the text that is converted


@dataclass(slots=True)
class _Plan:
    blocks: list[Block] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    shown: int = 0

    def next(self, code: str) -> tuple[Block, Run, str]:
        """Return the block and the run of the fence that is formatted now, and a name for it, unique in the page."""
        number = self.shown
        if number == len(self.blocks) or self.blocks[number].code.strip() != code.strip():
            known = str(self.blocks[number]) if number < len(self.blocks) else "the end of the page"
            raise FenceError(f"{known}: a preprocessor has changed this fence, so it is not the block that was run")
        self.shown += 1
        return self.blocks[number], self.runs[number], f"out-{number + 1}"


class _Planner(Preprocessor):
    """Runs before all other preprocessors: plans the page, and has its blocks run."""

    def __init__(self, md: Markdown, site: Site) -> None:
        super().__init__(md)
        self.site = site
        self.plan = _Plan()

    def run(self, lines: list[str]) -> list[str]:
        if not hasattr(self.md, "_original_md"):  # else: markdown-exec is converting a part of a page
            snippets = self.md.preprocessors["snippet"] if "snippet" in self.md.preprocessors else None  # noqa: SIM401 (not a dict)
            finder = Finder(snippets, self.site.engine.config.root.resolve())
            blocks = finder.find("\n".join(lines), self.site.page, self.site.offset)
            self.plan = _Plan(blocks, self.site.engine.run(blocks))
        return lines


class CodeoutExtension(Extension):
    """Has the Python blocks of pages run by the engine. The options are those of `Config`."""

    def __init__(self, site: Site | None = None, **options: Any) -> None:
        """Take the options from `mkdocs.yml`, or the site that a plugin has set up from them."""
        super().__init__()
        root = Path(options.pop("root", None) or os.environ.get("MKDOCS_CONFIG_DIR") or Path.cwd())
        self.site = site or Site(Engine(Config.of({"root": root, **options})))

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 (the name that Python-Markdown calls)
        """Register the planner, ahead of `pymdownx.snippets` (32)."""
        md.registerExtension(self)
        md.preprocessors.register(_Planner(md, self.site), NAME, 40)


def makeExtension(**options: Any) -> CodeoutExtension:  # noqa: N802 (the name that Python-Markdown calls)
    """Return the extension, for Python-Markdown."""
    return CodeoutExtension(**options)


def _format(theirs: Callable[..., str], **arguments: Any) -> str:
    """Stand in for markdown-exec's formatter of Python: show a block's run in the layout that its options ask for."""
    md: Markdown = arguments["md"]
    planner = md.preprocessors[NAME] if NAME in md.preprocessors else None  # noqa: SIM401 (not a dict)
    if not isinstance(planner, _Planner):
        return theirs(**arguments)
    block, run, name = planner.plan.next(arguments["code"])
    arguments["extra"] = {k: v for k, v in arguments.get("extra", {}).items() if k not in OURS}
    output, html = _shown(block, run, name, arguments)
    if not output.strip() and arguments["source"]:
        arguments["source"] = "above"  # a block that produced nothing is plain code, with no empty tab
    page = base_format(language="python", run=lambda *_, **__: output, **{**arguments, "html": html, "workdir": None})
    return str(page).replace(f"<p>{output}</p>", output) if html else page  # a paragraph can't hold a division


def _shown(block: Block, run: Run, name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
    """Return what a run shows, and whether it is HTML. Options that ask for its text alone get just that."""
    plain = all(isinstance(output, Stream | Value) for output in run.outputs)
    if plain and (arguments["source"] == "console" or arguments["result"]):
        return "".join(_text(output) for output in run.outputs), False
    if plain and arguments["html"]:
        return "".join(_text(output) for output in run.outputs), True
    converter = MarkdownConverter(arguments["md"], update_toc=False)
    return Renderer(markdown=converter.convert).run(run, name, str(block.origin)), True


def _text(output: object) -> str:
    match output:
        case Stream("stdout", text):
            return text
        case Value(data):
            return data.get("text/html") or data.get("text/plain", "")
    return ""


def _install() -> None:
    """Put our formatter where markdown-exec looks for the ones of Python, once in a process."""
    for language in LANGUAGES:
        theirs = formatters[language]
        formatters[language] = lambda theirs=theirs, **arguments: _format(theirs, **arguments)


_install()
