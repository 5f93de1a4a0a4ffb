"""The HTML of a block: its source and outputs, in the layout that markdown-exec's options ask for.

markdown-exec lays out the source with an empty slot, which passes through Markdown; the outputs are put in afterwards,
so that nothing a block printed or returned can become markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

import msgspec
from markdown_exec import MarkdownConverter, add_source, base_format, formatters, tabbed

from codeout.cache.layouts import LayoutCache
from codeout.markdown.annotations import number_marks
from codeout.markdown.options import OWN_OPTIONS, split_prompts
from codeout.model.blocks import Block
from codeout.model.mime import HTML, PLAIN, MimeType, preferred_type
from codeout.model.outputs import Output, Run, Stream, Value
from codeout.model.sweeps import swept_lines
from codeout.render.html import Renderer, make_anew
from codeout.render.pictures import Pictures
from codeout.run.engine import BlockState

ID = "codeout-id"  # stands for the block's id in a layout
HIDDEN_LINE = "markdown-exec: hide"
MARKDOWN_RESULT = "md"  # the value of `result` with which printed text is Markdown
SNIPPET = re.compile(r"^([ \t]*)(;*-+8<-+)", re.MULTILINE)  # a directive of pymdownx.snippets, perhaps escaped
DRAWN = ("tree",)  # the languages of markdown-exec that are drawn; text in any other could be run


def _next_number() -> int:
    MarkdownConverter.counter += 1  # as markdown-exec does itself
    return MarkdownConverter.counter


class BlockLayout(msgspec.Struct, frozen=True, kw_only=True):
    """How one block is shown."""

    block: Block
    arguments: Mapping[str, Any]
    """What markdown-exec passes to a formatter."""
    layouts: LayoutCache | None
    """Layouts that were made before."""
    pictures: Pictures
    expand: Callable[[str], str]
    """Completes the HTML that the site's own Markdown values become: they may contain blocks."""
    notes: Sequence[str]
    """What is said of its run."""
    number: int = msgspec.field(default_factory=_next_number)
    """Which of all executed fences it is: markdown-exec makes unique ids from that."""

    @property
    def is_bare(self) -> bool:
        """Whether only the output is shown, so that printed text may be Markdown that is part of the page."""
        return not (self._source or self.arguments["html"] or self.arguments["result"] or self._show != "all")

    def is_content(self, run: Run) -> bool:
        """Return whether a block writes a part of its page: it prints Markdown, and its source is not shown."""
        is_printed = all(isinstance(output, Stream) for output in run.outputs)
        # Of placeholder data, a reader must be told.
        return self.is_bare and is_printed and not any(source.is_placeholder for source in run.provenance.sources)

    def content(self, run: Run) -> str:
        """Return the HTML of the Markdown that a block printed, with its headings in the table of contents."""
        arguments = {**self._exec_arguments(), "workdir": None}
        if arguments["id_prefix"] is None and not arguments["id"]:
            # The number that markdown-exec would give it, whenever and however often it is converted.
            arguments["id_prefix"] = f"exec-{self.number}--"
        html = base_format(language="python", run=lambda *_, **__: _printed_text(run.outputs), **arguments)
        MarkdownConverter.counter -= 1  # the fence has been counted
        return self.pictures.move_data_out(str(html))

    def html(self, state: BlockState, block_id: str) -> str:
        """Return the HTML of a block in its present state."""
        if state.run and self.is_content(state.run):
            return self.content(state.run)
        has_error = state.run is not None and state.run.error is not None  # which a reader must see in any case
        if self._show == "nothing" and not has_error:
            return ""
        body = self._body(state, block_id)
        if self._source:
            label = 'title="Link to this block" aria-label="Link to this block" data-search-exclude'
            link = f'<a class="codeout-link" href="#{block_id}" {label}>#</a>' if "link" in self.notes else ""
            return f'<div class="codeout-block" id="{block_id}">{body}{link}</div>'
        if state.run and not self.arguments["html"]:
            return f'<div class="codeout-alone" id="{block_id}">{body}</div>'
        return body

    def _body(self, state: BlockState, block_id: str) -> str:
        source = self._source
        if self._show == "code" and not (state.run and state.run.error):
            return self.source()
        if source == "console":
            if state.run and not state.run.cases and all(map(_is_textual, state.run.outputs)):
                return number_marks(self._console(state.run), self.block.annotation_numbers)
            source = "above"  # a figure has no place in a console
        outputs = self._outputs(state, block_id)
        if not source and len(outputs) == 1:
            return next(iter(outputs.values()))
        if not any(html.strip() for html in outputs.values()):
            source, outputs = "above", {"": ""}  # a block without output shows only its code
        layout = self._layout(source, len(outputs)).replace(f"{ID}--", f"{block_id}--")
        for number, device in enumerate(outputs):
            layout = layout.replace(_device_title(number), f" · {escape(device)}<", 1)
        for number, html in enumerate(outputs.values()):
            layout = layout.replace(_slot(number), html)
        return layout

    def source(self) -> str:
        """Return the HTML of the code alone."""
        return self._layout("above", 1).replace(_slot(0), "")

    @property
    def _show(self) -> str:
        return str(self.arguments["extra"].get("show", "all"))

    @property
    def _source(self) -> str:
        source = str(self.arguments["source"])
        return {"all": source, "code": source or "above"}.get(self._show, "")

    def _layout(self, source: str, outputs: int) -> str:

        def make() -> str:
            # No division may be in a paragraph.
            html = re.sub(r'<p>(<div class="codeout-slot"[^>]*></div>)</p>', r"\1", self._convert(source, outputs))
            return number_marks(html, self.block.annotation_numbers)

        if self.layouts is None:
            return make()
        parts = {key: value for key, value in self.arguments.items() if key != "md"}
        return self.layouts.get({**parts, "source": source, "outputs": outputs}, make)

    def _convert(self, source: str, outputs: int) -> str:
        """Return source and empty slots as HTML: beside the source or in the output's place, with a tab a device."""
        code_title, out_title = self.arguments["tabs"]
        options = {"language": self._language, "tabs": self.arguments["tabs"], **self._exec_arguments()["extra"]}
        # The source is converted once more: what looks like a snippet in it must stay what it is.
        code = SNIPPET.sub(r"\1;\2", self._shown_code) if "snippet" in self._md.preprocessors else self._shown_code
        if outputs == 1:
            text = add_source(source=code, location=source, output=_slot(0), **options)
        else:
            outs = [(f"{out_title}{_device_title(number)[:-1]}", _slot(number)) for number in range(outputs)]
            if source.startswith("tabbed"):
                tab = (code_title, add_source(source=code, location="above", output="", **options))
                text = tabbed(tab, *outs) if source == "tabbed-left" else tabbed(*outs, tab)
            else:
                text = tabbed(*outs)
                text = add_source(source=code, location=source, output=text, **options) if source else text
        # Ids begin with the block's own, which is put in later: so a layout is the same in every build.
        html = MarkdownConverter(self._md, update_toc=False).convert(text, id_prefix=f"{ID}--")
        MarkdownConverter.counter -= 1  # a layout from the cache is not converted, and no id may depend on that
        return str(html)

    def _outputs(self, state: BlockState, block_id: str) -> dict[str, str]:
        """Return the HTML of the output on each device, by the device's short name; the CPU's is first."""
        if not state.recordings or state.run is None:
            return {"": self._output(state, block_id)}
        from codeout.recordings.read import label  # here: most sites have none

        runs = sorted([state.run, *state.recordings], key=lambda run: run.provenance.device != "CPU")
        # The drawings of a recording are images, in which the browser lets nothing act.
        render = msgspec.structs.replace(self._renderer, draws_images=True).render_run
        return {
            label(run, runs): self._output(state, block_id)
            if run is state.run
            # A section has no dot, so the ids of a recording are its own.
            else render(run, f"{block_id}.{number}", str(self.block.origin), is_recording=True)
            for number, run in enumerate(runs)
        }

    def _output(self, state: BlockState, block_id: str) -> str:
        run, origin = state.run, str(self.block.origin)
        if run is None:
            if state.last_good and not state.last_good.all_outputs:
                return ""  # it had no output last time, and most likely will not have any
            return self._renderer.render_queued(state.last_good, block_id, origin)
        if run.error is None and not run.cases and (self.arguments["html"] or self.arguments["result"]):
            return "".join(self._parts(run, block_id))
        return self._renderer.render_run(run, block_id, origin, state.last_good)

    def _parts(self, run: Run, block_id: str) -> Iterator[str]:
        renderer, result = self._renderer, self.arguments["result"]
        yield from renderer.warnings(run)
        for number, (is_text, group) in enumerate(groupby(run.outputs, _is_textual)):
            outputs = list(group)
            if not is_text:
                yield from (renderer.output(output, f"{block_id}-{number}-{i}") for i, output in enumerate(outputs))
            elif self.arguments["html"]:
                yield self.pictures.move_data_out(_printed_text(outputs))
            elif result == MARKDOWN_RESULT:
                yield renderer.markdown(_printed_text(outputs))
            elif text := _plain_text(outputs):
                yield self._fenced(text, result)

    @property
    def _renderer(self) -> Renderer:
        convert = MarkdownConverter(self._md, update_toc=False).convert
        return Renderer(
            markdown=lambda text: self.pictures.move_data_out(self.expand(str(convert(text)))),
            pictures=self.pictures,
            sweep=self.block.sweep,
            has_run_lines="run_line" in self.notes,
            remember=self.layouts.get if self.layouts else make_anew,
        )

    def _console(self, run: Run) -> str:
        lines = [line for line in self._shown_code.split("\n") if HIDDEN_LINE not in line]
        language = self.arguments["result"] or self._language
        return self._highlighted("\n".join(lines).strip() + "\n" + _plain_text(run.outputs), language)

    def _fenced(self, text: str, language: str) -> str:
        """Return text as a fence in a language would show it: drawn by a custom fence of the site, or highlighted."""
        # The fence itself is not written and converted, since the text could end it, or include a file.
        fences = self._md.preprocessors["fenced_code_block"].extension.superfences
        for fence in fences if language in DRAWN or language not in formatters else ():
            options: dict[str, Any] = {}
            attributes: dict[str, Any] = {}
            if fence["name"] == language and fence["validator"](language, {}, options, attributes, self._md):
                arguments = {"options": options, "md": self._md, "classes": [], "id_value": "", "attrs": attributes}
                return str(fence["formatter"](src=text.rstrip("\n"), language=language, **arguments))
        return self._highlighted(text, language)

    def _highlighted(self, text: str, language: str) -> str:
        highlight = self._md.preprocessors["fenced_code_block"].highlight
        return str(highlight(src=text, language=language, options={}, md=self._md, classes=[], id_value="", attrs={}))

    @property
    def _md(self) -> Any:
        return self.arguments["md"]

    @property
    def _language(self) -> str:
        return str(self.arguments["language"])

    @property
    def _shown_code(self) -> str:
        code = str(self.arguments["code"])
        return split_prompts(code)[1] if self._language == "pycon" else code

    def _exec_arguments(self) -> dict[str, Any]:
        extra = {name: value for name, value in self.arguments["extra"].items() if name not in OWN_OPTIONS}
        if self.block.sweep:
            lines = self.block.executable_code.split("\n")
            swept = swept_lines(self.block.executable_code, self.block.sweep)
            shown = (line - sum(HIDDEN_LINE in above for above in lines[:line]) for line in swept)
            extra["hl_lines"] = " ".join([*extra.get("hl_lines", "").split(), *map(str, shown)])
        return {name: value for name, value in self.arguments.items() if name != "language"} | {"extra": extra}


def _slot(number: int) -> str:
    return f'<div class="codeout-slot" title="{number}"></div>'


def _device_title(number: int) -> str:
    """Return what a tab's title ends with in a layout, where the device's name belongs: a title is Markdown."""
    return f" · DEVICE{number}<"


def _is_textual(output: Output) -> bool:
    """Return whether an output is text, or a value that has a form as text, and is no picture."""
    return isinstance(output, Stream) or (isinstance(output, Value) and not preferred_type(output.data).is_image)


def _plain_text(outputs: Iterable[Output]) -> str:
    """Return printed text and values as plain text, for options that ask for it."""
    return "".join(_output_text(output, PLAIN) for output in outputs)


def _printed_text(outputs: Iterable[Output]) -> str:
    """Return text that is content of the page, which warnings and logs are not."""
    shown = (output for output in outputs if not (isinstance(output, Stream) and output.name == "stderr"))
    return "".join(_output_text(output, HTML) for output in shown)


def _output_text(output: Output, preferred: MimeType) -> str:
    match output:
        case Stream(_, text):
            return text
        case Value(data):
            return data.get(preferred.name) or data.get(PLAIN.name, "")
    return ""
