"""Outputs to HTML. Text can't become HTML of the page: only what came as a MIME type that says so is let through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from codeout.model.outputs import Error, Figure, Output, Provenance, Run, Source, Stream, Value
from codeout.render.svg import inline_svg

RICH = ("text/html", "image/svg+xml", "image/png", "image/jpeg", "image/gif", "text/markdown", "text/latex")

FOLD = 40  # lines of text above which some are folded away
SHOWN = 30  # lines that are shown then

Markdown = Callable[[str], str]  # Markdown text → HTML


@dataclass(frozen=True, slots=True)
class Renderer:
    """Makes the HTML of an Out tab."""

    markdown: Markdown

    def run(self, run: Run, name: str, origin: str = "", last: Run | None = None, *, recorded: bool = False) -> str:
        """Return the HTML of a run; empty if it produced nothing.

        Args:
            run: the run.
            name: unique in the page; ids in pictures begin with it.
            origin: `path:line` of the code, for whoever looks at the page's source.
            last: the last good run, if this one is not.
            recorded: whether it is a recording, and not from the site's own store.
        """
        if not run.outputs:
            return ""
        parts = [*self._outputs(run, name), _told(run.provenance, recorded=recorded)]
        if last and last.outputs:
            summary = f"<summary>The last good output, of {_date(last.provenance)}</summary>"
            parts.append(
                f'<details class="codeout-before">{summary}{"".join(self._outputs(last, name + "-before"))}</details>'
            )
        return _division("codeout", origin, parts)

    def waiting(self, last: Run | None, name: str, origin: str = "") -> str:
        """Return the HTML of a block that has not run yet: room for its progress, above the last good output."""
        parts = [
            '<p class="codeout-progress" role="status">Waits for its turn</p><pre class="codeout-said" hidden></pre>'
        ]
        if last and last.outputs:
            parts.append(f'<div class="codeout-stale">{"".join(self._outputs(last, name))}</div>')
        return _division("codeout codeout-waiting", origin, parts)

    def _outputs(self, run: Run, name: str) -> Iterator[str]:
        yield from (self._warning(source) for source in run.provenance.sources if source.placeholder)
        for number, (is_text, outputs) in enumerate(groupby(run.outputs, lambda output: isinstance(output, Stream))):
            if is_text:
                yield _streams((output for output in outputs if isinstance(output, Stream)), f"{name}-{number}")
            else:
                yield from (self._output(output, f"{name}-{number}-{i}") for i, output in enumerate(outputs))

    def _output(self, output: Output, name: str) -> str:
        match output:
            case Figure(data, alt):
                return f'<figure class="codeout-figure">{self._bundle(data, name, alt)}</figure>'
            case Value(data):
                return f'<div class="codeout-value">{self._bundle(data, name, "")}</div>'
            case Error(_, _, traceback, _):
                return _box(escape(traceback.rstrip()), name, "codeout-error")
            case Stream():
                return _streams([output], name)

    def _bundle(self, data: Mapping[str, str], name: str, alt: str) -> str:
        mime = next((mime for mime in RICH if mime in data), "text/plain")
        part = data.get(mime, "")
        match mime:
            case "text/html":
                return part
            case "image/svg+xml":
                return inline_svg(part, name, alt)
            case "image/png" | "image/jpeg" | "image/gif":
                words = escape(alt or data.get("text/plain", ""))
                return f'<img src="data:{mime};base64,{part.strip()}" alt="{words}">'
            case "text/markdown":
                return self.markdown(part)
            case "text/latex":
                return self.markdown(_display(part))
        return _box(escape(part), name)

    @staticmethod
    def _warning(source: Source) -> str:
        words = f"<strong>{escape(source.name)} is not the real thing here:</strong> {escape(source.note)}"
        return f'<p class="codeout-placeholder">{words}</p>'


def _division(kind: str, origin: str, parts: Iterable[str]) -> str:
    return f'<div class="{kind}" data-origin="{escape(origin)}">{"".join(parts)}</div>'


def _streams(streams: Iterable[Stream], name: str) -> str:
    """Return text; most of a long one is folded away."""
    lines = [(stream.name, line) for stream in streams for line in stream.text.splitlines(keepends=True)]
    if len(lines) <= FOLD:
        return _text_box(lines, name)
    rest = f"<summary>Show all {len(lines)} lines</summary>{_text_box(lines[SHOWN:], f'{name}-rest')}"
    return f'{_text_box(lines[:SHOWN], name)}<details class="codeout-rest">{rest}</details>'


def _text_box(lines: Sequence[tuple[str, str]], name: str) -> str:
    parts = []
    for channel, group in groupby(lines, lambda line: line[0]):
        text = escape("".join(line for _, line in group))
        parts.append(text if channel == "stdout" else f'<span class="codeout-stderr">{text}</span>')
    kind = "codeout-stream" if any("[" in line for _, line in lines) else "codeout-stream codeout-words"
    return _box("".join(parts).rstrip(), name, kind)


def _box(html: str, name: str, kind: str = "") -> str:
    """Return text in a box; with a name, so that what copies it does not take it for another one."""
    return f'<div class="{f"highlight {kind}".strip()}"><pre id="{name}-text"><code>{html}</code></pre></div>'


def _told(provenance: Provenance, *, recorded: bool) -> str:
    """Return the run line: where, with what and how long a block ran; opened, more of that."""
    brief = [provenance.device, *(f"{name} {version}" for name, version in provenance.packages[:1])]
    brief.append(time_text(provenance.seconds))
    brief += [f"{source.name}: {_brief(source)}" for source in provenance.sources]
    facts = [("Ran", _date(provenance)), ("Python", provenance.python)]
    facts += [(name, version) for name, version in provenance.packages]
    facts += [(source.name, source.note) for source in provenance.sources]
    facts += [("Code", provenance.code)] if provenance.code else []
    facts += [("From", "a recording, made on another machine" if recorded else "the store of this site's own builds")]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>" for name, fact in facts)
    summary = f"<summary>{escape(' · '.join(brief))}</summary>"
    return f'<details class="codeout-run" data-search-exclude>{summary}<dl>{rows}</dl></details>'


def _date(provenance: Provenance) -> str:
    return provenance.date.replace("T", " ").replace("+00:00", " UTC")


def _brief(source: Source) -> str:
    return source.kind if source.placeholder else re.split("[:;,] ", source.note)[0]


def time_text(seconds: float) -> str:
    """Return a time as a person says it."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _display(latex: str) -> str:
    bare = latex.strip().removeprefix(r"$\displaystyle").strip("$").strip()
    return f"$$\n{bare}\n$$"
