"""Convert runs to HTML. Text never becomes markup of the page: only a MIME type that says so is let through."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path

import msgspec

from codeout.model.mime import HTML, JAVASCRIPT, JSON, LATEX, MARKDOWN, SVG, preferred_type
from codeout.model.outputs import Error, Figure, Output, Provenance, Run, Source, Stream, Value
from codeout.model.prose import PLACEHOLDER_MARK, PageValue
from codeout.model.sweeps import ONCE, Sweep
from codeout.render.pictures import HEAD_LENGTH, Pictures
from codeout.render.svg import has_large_picture, inline_svg, svg_image
from codeout.render.sweep import sweep_html

MAX_LINES = 40
"""Lines of text above which a part of them is folded away."""

FIGURE_SCALE = 2
"""How many pixels of a figure's PNG are one pixel of the page: the kernel draws twice the resolution."""

UNFOLDED_LINES = 30
"""Lines that remain visible then."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

MarkdownConverter = Callable[[str], str]
"""Markdown text → HTML."""

Remember = Callable[[Mapping[str, str], Callable[[], str]], str]
"""What HTML is made of, and what makes it → the HTML, which may have been made before."""


def make_anew(parts: Mapping[str, str], make: Callable[[], str]) -> str:
    """Remember nothing."""
    return make()


class Renderer(msgspec.Struct, frozen=True):
    """Converts runs to the HTML of an Out tab."""

    markdown: MarkdownConverter
    """Converts Markdown and LaTeX outputs of the site's own runs."""

    pictures: Pictures
    """Knows where the page finds pictures."""

    draws_images: bool = False
    """Whether all drawings are images of their own, which load when they come into view, not parts of the page."""

    sweep: Sweep = ONCE
    """The knobs of the block."""

    has_run_lines: bool = True
    """Whether a line under each output says how it was made."""

    remember: Remember = make_anew
    """Keeps drawings as the page shows them: nothing else takes so long to convert."""

    def render_run(
        self, run: Run, block_id: str, origin: str = "", last: Run | None = None, *, is_recording: bool = False
    ) -> str:
        """Return the HTML of a run; empty if it has no output.

        Args:
            run: the run.
            block_id: unique in the page; ids inside of pictures begin with it.
            origin: `path:line` of the code, for whoever reads the source of the page.
            last: the last successful run, if this one failed.
            is_recording: whether the run comes from another machine, not from this site's build cache.
        """
        if not run.all_outputs:
            return ""
        if self.sweep and run.cases:
            return self._render_sweep(run, block_id, origin, is_recording=is_recording)
        parts = [*self.outputs(run, block_id), self._run_line(run, is_recording=is_recording)]
        if last and last.outputs:
            summary = f"<summary>Last successful output, from {_date_text(last.provenance)}</summary>"
            outputs = "".join(self.outputs(last, f"{block_id}-before"))
            parts.append(f'<details class="codeout-before">{summary}{outputs}</details>')
        return _container("codeout", origin, parts)

    def _render_sweep(self, run: Run, block_id: str, origin: str, *, is_recording: bool) -> str:
        """Return the HTML of a run with its cases; those of a recording may be others than the page has now."""
        cases = self.sweep.cases
        as_images = msgspec.structs.replace(self, draws_images=True)
        other_cases = [(case.values, run.of_case(case), as_images) for case in run.cases if case.values in cases]
        parts = (
            (
                values,
                "".join(renderer.outputs(case_run, f"{block_id}-case{number}" if number else block_id))
                + self._run_line(case_run, is_recording=is_recording),
            )
            for number, (values, case_run, renderer) in enumerate([(cases[0], run, self), *other_cases])
        )
        return _container("codeout codeout-sweep", origin, [sweep_html(self.sweep, parts, block_id)])

    def render_queued(self, last: Run | None, block_id: str, origin: str = "") -> str:
        """Return the HTML of a block that has not run yet: its progress, above its last successful output."""
        parts = ['<p class="codeout-progress" role="status">Queued</p><pre class="codeout-said" hidden></pre>']
        if last and last.outputs:
            parts.append(f'<div class="codeout-stale">{"".join(self.outputs(last, block_id))}</div>')
        return _container("codeout codeout-waiting", origin, parts)

    def _run_line(self, run: Run, *, is_recording: bool) -> str:
        return _run_line(run.provenance, is_recording=is_recording) if self.has_run_lines else ""

    @staticmethod
    def warnings(run: Run) -> Iterator[str]:
        """Yield what must be said of the data of a run, above its outputs."""
        yield from (_placeholder_warning(source) for source in run.provenance.sources if source.is_placeholder)

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

        Args:
            data: the bundle.
            output_id: unique in the page.
            alt: alt text of a picture.
            scale: how many of a raster picture's pixels are one of the page.
            width: of the picture, if one was asked for, in pixels of the page.
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
            case JSON.extension:
                return _streams([Stream("stdout", content)], output_id, "codeout-json")
        return _streams([Stream("stdout", content)], output_id, "")

    def _drawing(self, svg: str, output_id: str, alt: str) -> str:
        digest = hashlib.sha256(svg.encode()).hexdigest()
        if not self.draws_images and not has_large_picture(svg):
            parts = {"drawing": digest, "prefix": output_id, "alt": alt}
            return self.pictures.move_data_out(self.remember(parts, lambda: inline_svg(svg, output_id, alt)))
        both = self.remember({"image": digest, "alt": alt}, lambda: "\0".join(svg_image(svg, alt)))
        content, _, attributes = both.partition("\0")
        return f'<img class="codeout-picture" src="{self.pictures.drawing_address(content)}" {attributes}>'


def _size(head: bytes, scale: int, width: int) -> str:
    """Return the attributes for a picture's size, so that nothing moves when it loads; empty if it is not known."""
    own = _png_size(head)
    if own is None:
        return f' width="{width}"' if width else ""
    factor = width / own[0] if width else 1 / scale
    return f' width="{own[0] * factor:.0f}" height="{own[1] * factor:.0f}"'


def _png_size(head: bytes) -> tuple[int, int] | None:
    """Return the width and the height of a PNG picture by how it begins; None if it is none."""
    if not head.startswith(b"\x89PNG") or len(head) < HEAD_LENGTH:
        return None
    width, height = (int.from_bytes(head[start : start + 4], "big") for start in (16, 20))
    return (width, height) if width else None


def _script(code: str) -> str:
    """Return a script of the site's own, which finds the place of its output as `element`, as in a notebook."""
    safe = re.sub("</(?=script)|<!--", lambda match: match[0].replace("<", "\\x3c"), code, flags=re.IGNORECASE)
    start = "(function (element) {"
    return f"<script>{start}\n{safe}\n}})(document.currentScript.parentElement)</script>"


def _placeholder_warning(source: Source) -> str:
    text = f"<strong>{escape(source.name)} is placeholder data:</strong> {escape(source.note)}"
    return f'<p class="codeout-placeholder">{text}</p>'


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


def _run_line(provenance: Provenance, *, is_recording: bool) -> str:
    """Return the line under an output: device, version and time; more facts when opened."""
    brief = [provenance.device, *(f"{name} {version}" for name, version in provenance.packages[:1])]
    brief.append(time_text(provenance.seconds))
    brief += [f"{source.name}: {_brief_note(source)}" for source in provenance.sources]
    facts = [("Ran", _date_text(provenance)), *_memory_facts(provenance), ("Python", provenance.python)]
    facts += [(name, version) for name, version in provenance.packages]
    facts += [(source.name, _full_note(source)) for source in provenance.sources]
    facts += [("Code", provenance.code_digest)] if provenance.code_digest else []
    facts += [("From", "a recording made on another machine" if is_recording else "this site's build cache")]
    lines = escape("\n".join(f"{name}: {fact}" for name, fact in facts))  # text: a search plugin parses each element
    summary = f"<summary>{escape(' · '.join(brief))}</summary>"
    return f'<details class="codeout-run" data-search-exclude>{summary}<pre>{lines}</pre></details>'


def _memory_facts(provenance: Provenance) -> list[tuple[str, str]]:
    peaks = {"Memory": provenance.memory, "GPU memory": provenance.gpu_memory}
    return [(name, f"{peak / 1e6:,.0f} MB at most") for name, peak in peaks.items() if peak]


def _date_text(provenance: Provenance) -> str:
    return provenance.date.replace("T", " ").replace("+00:00", " UTC")


def _brief_note(source: Source) -> str:
    return "placeholder data" if source.is_placeholder else re.split("[:;,] ", source.note)[0]


def _full_note(source: Source) -> str:
    return f"placeholder data; {source.note}" if source.is_placeholder else source.note


def time_text(seconds: float) -> str:
    """Return a duration as people write it.

    >>> time_text(0.003), time_text(1.25), time_text(75)
    ('3 ms', '1.2 s', '1 min 15 s')
    """
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _latex_as_markdown(latex: str) -> str:
    """Return LaTeX as Markdown: a formula is displayed; text with formulas in it stays text."""
    formula = latex.strip().removeprefix(r"$\displaystyle").strip("$").strip()
    return latex if "$" in formula else f"$$\n{formula}\n$$"


def render_value(value: PageValue, spec: str) -> str:
    """Return the HTML of a value; one from placeholder data is followed by a mark that needs no stylesheet.

    Args:
        value: the value, and the placeholder data that it comes from.
        spec: Python's format specification.

    Raises:
        ValueError: the specification does not suit the value.
    """
    text = escape(format(value.value, spec))
    if not value.placeholders:
        return f'<span class="codeout-named">{text}</span>'
    title = escape("Computed from placeholder data: " + "; ".join(f"{s.name}: {s.note}" for s in value.placeholders))
    mark = f'<small class="codeout-placeholder-mark">{PLACEHOLDER_MARK}</small>'
    return f'<span class="codeout-named codeout-placeholder-value" title="{title}"><span>{text}</span>{mark}</span>'


@cache
def page_assets(*, has_outputs: bool, has_sweeps: bool) -> str:
    """Return the style of outputs, and what sweeps need besides; empty for a page without either.

    Args:
        has_outputs: whether the page has outputs.
        has_sweeps: whether it has a swept block.
    """
    style = (_read("outputs.css") if has_outputs else "") + (_read("sweep.css") if has_sweeps else "")
    script = f"<script>{_read('sweep.js')}</script>" if has_sweeps else ""
    return f"<style>{style}</style>{script}" if style else ""


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf8")
