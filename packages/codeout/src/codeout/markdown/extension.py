"""Door 1: a Python-Markdown extension that puts the engine behind markdown-exec's fences.

markdown-exec goes on to find the fences, read their options and lay out source and result; where it would run
Python itself, it meets the runs of the engine. A page is planned when its conversion begins: all its blocks are
known, and run, before the first is shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from markdown_exec import MarkdownConverter, add_source, base_format, formatters, tabbed

from codeout.cache.recordings import label
from codeout.config import Config
from codeout.errors import CodeoutError
from codeout.markdown.annotations import Annotations, marked
from codeout.markdown.finder import LANGUAGES, OURS, Finder
from codeout.markdown.layouts import LayoutCache, here
from codeout.markdown.page import FenceError, Plan, Site
from codeout.markdown.values import Values
from codeout.model.blocks import Block
from codeout.model.outputs import Run, Stream, Value
from codeout.render.html import Renderer
from codeout.render.overview import sentence
from codeout.run.engine import BlockState, Engine

NAME = "codeout"


class _Planner(Preprocessor):
    """Runs before all other preprocessors: plans the page, and has its blocks run."""

    def __init__(self, md: Markdown, site: Site) -> None:
        super().__init__(md)
        self.site = site
        self.plan = Plan()

    def run(self, lines: list[str]) -> list[str]:
        snippets = self.md.preprocessors["snippet"] if "snippet" in self.md.preprocessors else None  # noqa: SIM401
        finder = Finder(snippets, self.site.engine.config.root.resolve(), self._languages())
        text = "\n".join(lines)
        self.plan = Plan(*self.site.plan(text, finder), text=text)
        return lines

    def _languages(self) -> tuple[str, ...]:
        """Return those of our languages whose fences the site has given to markdown-exec."""
        fences: Any = self.md.preprocessors["fenced_code_block"]
        known = [fence["name"] for fence in fences.extension.superfences]
        return tuple(name for name in LANGUAGES if name in known)


class _Sentence(Treeprocessor):
    """Says under the title of a page how its blocks ran, once all have."""

    def __init__(self, md: Markdown, planner: _Planner) -> None:
        super().__init__(md)
        self.planner = planner

    def run(self, root: Element) -> None:
        seen = self.planner.plan.seen
        runs = [each.run for each in seen]
        title = root.find("h1")
        if runs and title is not None and None not in runs:
            added = Element("p", {"class": "codeout-sentence"})
            added.text = sentence([run for run in runs if run], [run for each in seen for run in each.beside])
            root.insert(list(root).index(title) + 1, added)


class CodeoutExtension(Extension):
    """Has the Python blocks of pages run by the engine. The options are those of `Config`."""

    def __init__(self, site: Site | None = None, **options: Any) -> None:
        """Take the options from `mkdocs.yml`, or the site that a plugin has set up from them."""
        super().__init__()
        root = Path(options.pop("root", None) or os.environ.get("MKDOCS_CONFIG_DIR") or Path.cwd())
        self.site = site or Site(Engine(Config.from_options({"root": root, **options})))

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 (the name that Python-Markdown calls)
        """Register the planner, ahead of `pymdownx.snippets` (32)."""
        md.registerExtension(self)
        planner = _Planner(md, self.site)
        md.preprocessors.register(planner, NAME, 40)
        values = Values(md, self.site, lambda: planner.plan)
        md.treeprocessors.register(values, NAME, 15)  # after inline patterns (20), before `attr_list` (8)
        md.treeprocessors.register(_Sentence(md, planner), f"{NAME}-sentence", 14)
        notes = Annotations(md, self.site, lambda: planner.plan)
        md.treeprocessors.register(notes, f"{NAME}-notes", -1)  # when the text of a note is done: after `unescape` (0)


def makeExtension(**options: Any) -> CodeoutExtension:  # noqa: N802 (the name that Python-Markdown calls)
    """Return the extension, for Python-Markdown."""
    return CodeoutExtension(**options)


def _format(theirs: Callable[..., str], **arguments: Any) -> str:
    """Stand in for markdown-exec's formatter of Python: show a block's run in the layout that its options ask for."""
    md: Markdown = arguments["md"]
    planner = md.preprocessors[NAME] if NAME in md.preprocessors else None  # noqa: SIM401 (not a dict)
    if not isinstance(planner, _Planner):
        return theirs(**arguments)
    block, seen, name = planner.plan.next(arguments["code"])
    if str(arguments["source"]).startswith("tabbed") and "tabbed" not in md.parser.blockprocessors:
        raise FenceError(f"{block}: tabs need `- pymdownx.tabbed: {{alternate_style: true}}` in `markdown_extensions`")
    arguments["extra"] = {k: v for k, v in arguments.get("extra", {}).items() if k not in OURS}

    def show(seen: BlockState) -> str:
        return _laid_out(block, seen, name, {**arguments}, planner.site.layouts)

    try:
        html = show(seen)
        if planner.site.behind:
            planner.site.shows[seen.name] = show
            html = f'<div data-codeout="{escape(seen.name)}" data-key="{seen.key}">{html}</div>'
        if arguments["source"]:
            html = f'<div class="codeout-block" id="{name}">{html}{_link(name)}</div>'
        elif seen.run and not arguments["html"] and not _is_content(seen.run, arguments):
            html = f'<div class="codeout-alone" id="{name}">{html}</div>'
        planner.plan.html.append(html)
        return html
    except CodeoutError:
        raise
    except Exception as problem:  # superfences would swallow it, and show the fence as text
        raise FenceError(f"{block}: can't be shown: {type(problem).__name__}: {problem}") from problem


def _link(name: str) -> str:
    told = 'title="Link to this block" aria-label="Link to this block" data-search-exclude'
    return f'<a class="codeout-link" href="#{name}" {told}>#</a>'


def _laid_out(block: Block, seen: BlockState, name: str, arguments: dict[str, Any], layouts: LayoutCache | None) -> str:
    """Return source and output in markdown-exec's own layout; our HTML stands in it for what the code printed."""
    if arguments["source"] == "console":
        if seen.run and _plain(seen.run):
            return marked(_console(seen.run, arguments), block.marks)
        arguments["source"] = "above"  # a figure has no place in a console
    if seen.run and _is_content(seen.run, arguments):
        text = "".join(_text(output) for output in seen.run.outputs)
        arguments |= {"workdir": None}
        return str(base_format(language="python", run=lambda *_, **__: text, **arguments))
    output = _shown(block, seen, name, arguments)
    outputs = _each_device(block, seen, name, output, arguments) if seen.beside else {"": output}
    if not arguments["source"] and len(outputs) == 1:
        return output
    if not any(html.strip() for html in outputs.values()):
        arguments["source"] = "above"  # a block that produced nothing is plain code, with no empty tab

    def make() -> str:
        page = _several(list(outputs), arguments) if len(outputs) > 1 else _one(arguments)
        page = page.replace(f"exec-{MarkdownConverter.counter}--", f"{name}--")  # the same from one build to the next
        page = re.sub(
            r'<p>(<div class="codeout-here"[^>]*></div>)</p>', r"\1", page
        )  # a paragraph can't hold a division
        return marked(page, block.marks)

    parts = {key: value for key, value in arguments.items() if key != "md"}
    layout = layouts.get({**parts, "name": name, "devices": [*outputs]}, make) if layouts else make()
    for device, html in outputs.items():
        layout = layout.replace(here(device), html)
    return layout


def _each_device(block: Block, seen: BlockState, name: str, own: str, arguments: dict[str, Any]) -> dict[str, str]:
    """Return the HTML of a block's output on each device, by the device's short name; the CPU's is first."""
    runs = sorted([run for run in (seen.run, *seen.beside) if run], key=lambda run: run.provenance.device != "CPU")
    return {
        label(run, runs): own
        if run is seen.run
        else _recorded(block, run, f"{name}.{number}", arguments)  # no section has a dot
        for number, run in enumerate(runs)
    }


def _recorded(block: Block, run: Run, name: str, arguments: dict[str, Any]) -> str:
    """Return the HTML of a recording. What it printed is text, whatever the options say: it comes from elsewhere."""
    renderer = Renderer(markdown=MarkdownConverter(arguments["md"], update_toc=False).convert)
    return renderer.render_run(run, name, str(block.origin), is_recording=True)


def _one(arguments: dict[str, Any]) -> str:
    """Return markdown-exec's layout of a source and its one output, which is left out."""
    own = arguments | {"html": True, "result": "", "workdir": None, "update_toc": False}
    return str(base_format(language="python", run=lambda *_, **__: here(""), **own))


def _several(devices: Sequence[str], arguments: dict[str, Any]) -> str:
    """Return the same for outputs of several devices: a tab for each, beside the source's or in the output's place."""
    location, (code_title, out_title) = arguments["source"], arguments["tabs"]
    outs = [(f"{out_title} · DEVICE{number}", here(device)) for number, device in enumerate(devices)]
    told = {"language": "python", "tabs": arguments["tabs"], **arguments["extra"]}
    if location.startswith("tabbed"):
        code = (code_title, add_source(source=arguments["code"], location="above", output="", **told))
        text = tabbed(code, *outs) if location == "tabbed-left" else tabbed(*outs, code)
    else:
        text = tabbed(*outs)
        text = add_source(source=arguments["code"], location=location, output=text, **told) if location else text
    page = str(MarkdownConverter(arguments["md"], update_toc=False).convert(text))
    for number, device in enumerate(devices):  # now: a title is Markdown, and a name is not
        page = page.replace(f" · DEVICE{number}<", f" · {escape(device)}<", 1)
    return page


def _is_content(run: Run, arguments: dict[str, Any]) -> bool:
    """Return whether a block writes a part of its page: it prints Markdown, and its source is not shown.

    Not where a reader must be told of a placeholder.
    """
    bare = not (arguments["source"] or arguments["html"] or arguments["result"])
    return (
        bare
        and all(isinstance(o, Stream) for o in run.outputs)
        and not any(s.is_placeholder for s in run.provenance.sources)
    )


def _shown(block: Block, seen: BlockState, name: str, arguments: dict[str, Any]) -> str:
    """Return the HTML of a block's output. Options that ask for its text alone get just that."""
    renderer = Renderer(markdown=MarkdownConverter(arguments["md"], update_toc=False).convert)
    run = seen.run
    if run is None and seen.last and not seen.last.outputs:
        return ""  # it produced nothing last time, and most likely will again: plain code meanwhile
    if run is None:
        return renderer.render_queued(seen.last, name, str(block.origin))
    if _plain(run) and (arguments["html"] or arguments["result"]):
        text = "".join(_text(output) for output in run.outputs)
        if arguments["html"]:
            return text
        return _highlighted(text, arguments["result"], arguments["md"]) if text else ""
    return renderer.render_run(run, name, str(block.origin), seen.last)


def _console(run: Run, arguments: dict[str, Any]) -> str:
    source = [line for line in arguments["code"].split("\n") if "markdown-exec: hide" not in line]
    text = "".join(_text(output) for output in run.outputs)
    return _highlighted("\n".join(source).strip() + "\n" + text, arguments["result"] or "python", arguments["md"])


def _highlighted(text: str, language: str, md: Markdown) -> str:
    fences: Any = md.preprocessors["fenced_code_block"]
    shown = fences.highlight(src=text, language=language, options={}, md=md, classes=[], id_value="", attrs={})
    return str(shown)


def _plain(run: Run) -> bool:
    return all(isinstance(output, Stream | Value) for output in run.outputs)


def _text(output: object) -> str:
    match output:
        case Stream(_, text):
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
