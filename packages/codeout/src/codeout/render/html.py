"""Convert runs to HTML. Text never becomes markup of the page: only a MIME type that says so is let through."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path

import msgspec

from codeout.model.mime import HTML, JAVASCRIPT, JSON, LATEX, MARKDOWN, SVG, preferred_type
from codeout.model.outputs import Error, Figure, Output, Run, Stream, Value
from codeout.model.prose import PLACEHOLDER_MARK, PageValue
from codeout.model.sweeps import ONCE, Knob, Sweep
from codeout.render.overview import date_text, run_line
from codeout.render.pictures import HEAD_LENGTH, Pictures

MAX_LINES = 40
"""Lines of text above which a part of them is folded away."""
UNFOLDED_LINES = 30
"""Lines that remain visible then."""
FIGURE_SCALE = 2
"""How many pixels of a figure's PNG are one pixel of the page: the kernel draws twice the resolution."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

Remember = Callable[[Mapping[str, str], Callable[[], str]], str]
"""What HTML is made of, and what makes it → the HTML, which may have been made before."""


def make_anew(parts: Mapping[str, str], make: Callable[[], str]) -> str:
    """Remember nothing."""
    return make()


class Renderer(msgspec.Struct, frozen=True):
    """Converts runs to the HTML of an Out tab."""

    markdown: Callable[[str], str]
    """Converts Markdown and LaTeX outputs of the site's own runs."""
    pictures: Pictures
    draws_images: bool = False
    """Whether all drawings are images of their own, which load when they come into view, not parts of the page."""
    sweep: Sweep = ONCE
    has_run_lines: bool = True
    """Whether a line under each output says how it was made."""
    remember: Remember = make_anew
    """Keeps drawings as the page shows them: nothing else takes so long to convert."""

    def render_run(
        self, run: Run, block_id: str, origin: str = "", last: Run | None = None, *, is_recording: bool = False
    ) -> str:
        """Return the HTML of a run, above the last successful one if it failed; empty if it has no output.

        Ids inside of pictures begin with `block_id`, which is unique in the page. `origin` is `path:line` of the code,
        for whoever reads the source of the page.
        """
        if not run.all_outputs:
            return ""
        if self.sweep and run.cases:
            return self._render_sweep(run, block_id, origin, is_recording=is_recording)
        parts = [*self.outputs(run, block_id), self._run_line(run, is_recording=is_recording)]
        if last and last.outputs:
            summary = f"<summary>Last successful output, from {date_text(last.provenance)}</summary>"
            outputs = "".join(self.outputs(last, f"{block_id}-before"))
            parts.append(f'<details class="codeout-before">{summary}{outputs}</details>')
        return _container("codeout", origin, parts)

    def _render_sweep(self, run: Run, block_id: str, origin: str, *, is_recording: bool) -> str:
        """Return the HTML of a run with its cases; those of a recording may be others than the page has now."""
        cases = self.sweep.cases
        as_images = msgspec.structs.replace(self, draws_images=True)
        other_cases = [(case.values, run.of_case(case), as_images) for case in run.cases if case.values in cases]
        parts = []
        for number, (values, case_run, renderer) in enumerate([(cases[0], run, self), *other_cases]):
            outputs = "".join(renderer.outputs(case_run, f"{block_id}-case{number}" if number else block_id))
            parts.append((values, outputs + self._run_line(case_run, is_recording=is_recording)))
        return _container("codeout codeout-sweep", origin, [_sweep_html(self.sweep, parts, block_id)])

    def render_queued(self, last: Run | None, block_id: str, origin: str = "") -> str:
        """Return the HTML of a block that has not run yet: its progress, above its last successful output."""
        parts = ['<p class="codeout-progress" role="status">Queued</p><pre class="codeout-said" hidden></pre>']
        if last and last.outputs:
            parts.append(f'<div class="codeout-stale">{"".join(self.outputs(last, block_id))}</div>')
        return _container("codeout codeout-waiting", origin, parts)

    def _run_line(self, run: Run, *, is_recording: bool) -> str:
        return run_line(run.provenance, is_recording=is_recording) if self.has_run_lines else ""

    @staticmethod
    def warnings(run: Run) -> Iterator[str]:
        """Yield what must be said of the data of a run, above its outputs."""
        for source in run.provenance.sources:
            if source.is_placeholder:
                text = f"<strong>{escape(source.name)} is placeholder data:</strong> {escape(source.note)}"
                yield f'<p class="codeout-placeholder">{text}</p>'

    def outputs(self, run: Run, block_id: str) -> Iterator[str]:
        """Yield the HTML of each output of a run, below what must be said of its data."""
        yield from self.warnings(run)
        groups = groupby(run.outputs, lambda output: isinstance(output, Stream))
        for number, (is_stream, outputs) in enumerate(groups):
            if is_stream:
                yield _streams((output for output in outputs if isinstance(output, Stream)), f"{block_id}-{number}")
            else:
                yield from (self.output(output, f"{block_id}-{number}-{i}") for i, output in enumerate(outputs))

    def output(self, output: Output, output_id: str) -> str:
        """Return the HTML of one output; `output_id` is unique in the page."""
        match output:
            case Figure(data, alt, width):
                picture = self._bundle(data, output_id, alt, scale=FIGURE_SCALE, width=width)
                return f'<figure class="codeout-figure">{picture}</figure>'
            case Value(data, width):
                return f'<div class="codeout-value">{self._bundle(data, output_id, "", width=width)}</div>'
            case Error(traceback=traceback):
                return _text_box(escape(traceback.rstrip()), output_id, "codeout-error")
            case Stream():
                return _streams([output], output_id)

    def _bundle(self, data: Mapping[str, str], output_id: str, alt: str, *, scale: int = 1, width: int = 0) -> str:
        """Return the HTML of the richest type in a MIME bundle.

        `scale` pixels of a raster picture are one of the page; `width`, if it was asked for, is in pixels of the page.
        """
        mime = preferred_type(data)
        content = data.get(mime.name, "")
        if mime.is_binary:
            alt_text = escape(_CONTROL.sub("", alt or data.get("text/plain", "")))
            lazy = ' loading="lazy"' if self.draws_images else ""
            size = _size(self.pictures.read_head(content), scale, width)
            return f'<img src="{self.pictures.address(mime.name, content)}" alt="{alt_text}"{size}{lazy}>'
        match mime.extension:
            case HTML.extension:
                return self.pictures.move_data_out(content)
            case SVG.extension:
                return self._drawing(content, output_id, alt)
            case MARKDOWN.extension:
                return self.markdown(content)
            case LATEX.extension:
                return self.markdown(_latex_as_markdown(content))
            case JAVASCRIPT.extension:
                return _script(content)
        return _streams([Stream("stdout", content)], output_id, "codeout-json" if mime is JSON else "")

    def _drawing(self, svg: str, output_id: str, alt: str) -> str:
        digest = hashlib.sha256(svg.encode()).hexdigest()
        from codeout.render.svg import has_large_picture, inline_svg, svg_image  # here: many pages have no figure

        if not self.draws_images and not has_large_picture(svg):
            parts = {"drawing": digest, "prefix": output_id, "alt": alt}
            return self.pictures.move_data_out(self.remember(parts, lambda: inline_svg(svg, output_id, alt)))
        both = self.remember({"image": digest, "alt": alt}, lambda: "\0".join(svg_image(svg, alt)))
        content, _, attributes = both.partition("\0")
        address = self.pictures.address(SVG.name, base64.b64encode(content.encode()).decode())
        return f'<img class="codeout-picture" src="{address}" {attributes}>'


def _size(head: bytes, scale: int, width: int) -> str:
    """Return the attributes for a picture's size, so that nothing moves when it loads; empty if it is not known."""
    is_png = head.startswith(b"\x89PNG") and len(head) >= HEAD_LENGTH
    own_width, own_height = (int.from_bytes(head[start : start + 4], "big") if is_png else 0 for start in (16, 20))
    if not own_width:
        return f' width="{width}"' if width else ""
    factor = width / own_width if width else 1 / scale
    return f' width="{own_width * factor:.0f}" height="{own_height * factor:.0f}"'


def _script(code: str) -> str:
    """Return a script of the site's own, which finds the place of its output as `element`, as in a notebook."""
    safe = re.sub("</(?=script)|<!--", lambda match: match[0].replace("<", "\\x3c"), code, flags=re.IGNORECASE)
    return f"<script>(function (element) {{\n{safe}\n}})(document.currentScript.parentElement)</script>"


def _container(css_class: str, origin: str, parts: Iterable[str]) -> str:
    return f'<div class="{css_class}" data-origin="{escape(origin)}">{"".join(parts)}</div>'


def _streams(streams: Iterable[Stream], output_id: str, css_class: str = "codeout-stream") -> str:
    """Return the HTML of text; most of a long one is folded away."""
    lines = [(stream.name, line) for stream in streams for line in stream.text.splitlines(keepends=True)]
    if len(lines) <= MAX_LINES:
        return _stream_box(lines, output_id, css_class)
    first, rest = lines[:UNFOLDED_LINES], lines[UNFOLDED_LINES:]
    rest_box = _stream_box(rest, f"{output_id}-rest", css_class)
    details = f"<summary>Show all {len(lines)} lines</summary>{rest_box}"
    return f'{_stream_box(first, output_id, css_class)}<details class="codeout-rest">{details}</details>'


def _stream_box(lines: Sequence[tuple[str, str]], output_id: str, css_class: str) -> str:
    """Return the HTML of lines; those of stderr are marked, and printed lines without brackets may wrap."""
    parts = []
    for channel, group in groupby(lines, lambda line: line[0]):
        text = escape("".join(line for _, line in group))
        parts.append(text if channel == "stdout" else f'<span class="codeout-stderr">{text}</span>')
    if css_class and not any("[" in line for _, line in lines):
        css_class += " codeout-words"
    return _text_box("".join(parts).rstrip(), output_id, css_class)


def _text_box(html: str, output_id: str, css_class: str = "") -> str:
    """Return text in a box whose id keeps a copy button from taking it for another box."""
    classes = f"highlight {css_class}".strip()
    return f'<div class="{classes}"><pre id="{output_id}-text"><code>{html}</code></pre></div>'


def _latex_as_markdown(latex: str) -> str:
    """Return LaTeX as Markdown: a formula is displayed; text with formulas in it stays text."""
    formula = latex.strip().removeprefix(r"$\displaystyle").strip("$").strip()
    return latex if "$" in formula else f"$$\n{formula}\n$$"


def render_value(value: PageValue, spec: str) -> str:
    """Return the HTML of a value; one from placeholder data is followed by a mark that needs no stylesheet.

    Raises:
        ValueError: the specification does not suit the value.
    """
    text = escape(format(value.value, spec))
    if not value.placeholders:
        return f'<span class="codeout-named">{text}</span>'
    title = escape("Computed from placeholder data: " + "; ".join(f"{s.name}: {s.note}" for s in value.placeholders))
    mark = f'<small class="codeout-placeholder-mark">{PLACEHOLDER_MARK}</small>'
    return f'<span class="codeout-named codeout-placeholder-value" title="{title}"><span>{text}</span>{mark}</span>'


def _sweep_html(sweep: Sweep, cases: Iterable[tuple[tuple[str, ...], str]], block_id: str) -> str:
    """Return a control for each knob, and the outputs of all cases, of which a script shows the chosen one.

    Without scripts the cases stand one below the other.
    """
    knobs = "".join(_knob(knob, f"{block_id}-{knob.name}") for knob in sweep.knobs)
    controls = f'<div class="codeout-knobs" data-search-exclude>{knobs}</div>'
    cases_html = "".join(_case(sweep, values, html, number) for number, (values, html) in enumerate(cases))
    return f'{controls}<div class="codeout-cases" aria-live="polite">{cases_html}</div>'


def _knob(knob: Knob, name: str) -> str:
    values = "".join(
        f'<label><input type="radio" name="{name}" value="{number}" autocomplete="off"'
        f"{' checked' if not number else ''}><span>{escape(value)}</span></label>"
        for number, value in enumerate(knob.values)
    )
    return f"<fieldset><legend>{escape(knob.name)}</legend>{values}</fieldset>"


def _case(sweep: Sweep, values: tuple[str, ...], html: str, number: int) -> str:
    indices = " ".join(str(knob.values.index(value)) for knob, value in zip(sweep.knobs, values, strict=True))
    title = f'<p class="codeout-case-values">{escape(sweep.describe(values))}</p>'
    is_shown = " data-shown" if not number else ""
    return f'<div class="codeout-case" data-case="{indices}"{is_shown}>{title}{html}</div>'


@cache
def page_assets(*, has_outputs: bool, has_sweeps: bool) -> str:
    """Return the style of outputs, and what sweeps need besides; empty for a page without either."""
    style = (_read("outputs.css") if has_outputs else "") + (_read("sweep.css") if has_sweeps else "")
    script = f"<script>{_read('sweep.js')}</script>" if has_sweeps else ""
    return f"<style>{style}</style>{script}" if style else ""


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf8")
