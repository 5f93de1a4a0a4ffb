"""What differs between two folders of runs, as a page to look at: old beside new, figures as pictures.

The page stands alone, and nothing in an output can act in it: text is escaped, a picture is shown as an image, and HTML
in a frame without scripts.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import zip_longest
from pathlib import Path

from codeout.cache.store import RunStore
from codeout.compare.runs import Difference, MovedNumber, cut, environment_changes, merge_streams, moved_numbers
from codeout.errors import PageError
from codeout.model.mime import HTML, IMAGE_TYPES, PLAIN, SVG
from codeout.model.outputs import Error, Figure, Output, Run, Stream, Value

MAX_NUMBERS = 12
"""That the table of a block lists."""
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; }
h2 { border-top: 1px solid #8886; font-size: 1.1rem; margin-top: 2.5rem; overflow-wrap: anywhere; padding-top: 1rem; }
.both { display: grid; gap: 1rem; grid-template-columns: repeat(2, minmax(0, 1fr)); }
.both > div { border: 1px solid #8886; border-radius: 6px; min-width: 0; padding: 0.6rem; }
.both h3 { font-size: 0.8rem; margin: 0 0 0.4rem; opacity: 0.8; }
pre { font-size: 0.8rem; margin: 0 0 0.6rem; max-height: 30rem; overflow: auto; white-space: pre-wrap; }
iframe { background: #fff; border: 0; height: 16rem; width: 100%; }
img { background: #fff; height: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; margin: 0.5rem 0 1rem; }
th, td { border-bottom: 1px solid #8884; padding: 0.15rem 1rem 0.15rem 0; text-align: right; }
mark { background: #f5c34266; color: inherit; }
@media (max-width: 40rem) { .both { grid-template-columns: minmax(0, 1fr); } }
"""


def load_runs(folder: Path) -> dict[str, Run]:
    """Return the newest run of each block in a folder of runs, by the block's name.

    Raises:
        PageError: there is no such folder.
    """
    if not folder.is_dir():
        raise PageError(f"{folder}:1: no such folder")
    return RunStore(folder).newest_runs()


def drift_page(differences: Sequence[Difference], old: Mapping[str, Run], new: Mapping[str, Run]) -> str:
    """Return the HTML of a page."""
    changes = [difference for difference in differences if difference.kind == "changed"]
    title = f"Outputs: {len(changes)} of {len({*old} & {*new})} changed"
    unmatched = [f"{difference.kind}: {difference.block}" for difference in differences if difference.kind != "changed"]
    parts = [f"<h1>{title}</h1>", _list(environment_changes(old, new)), _list(unmatched)]
    parts += [_section(difference, old[difference.block], new[difference.block]) for difference in changes]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # for the frames, too
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    head += f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    head += f"<style>{STYLE}</style>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _section(difference: Difference, old: Run, new: Run) -> str:
    old_outputs, new_outputs = merge_streams(old.all_outputs), merge_streams(new.all_outputs)
    texts = zip(map(_text, old_outputs), map(_text, new_outputs), strict=False)
    numbers = [number for old_text, new_text in texts for number in moved_numbers(old_text, new_text)]
    sides = _side("old", old, old_outputs, new_outputs) + _side("new", new, new_outputs, old_outputs)
    heads = f"<h2>{escape(difference.block)}</h2><p>{escape(difference.description)}</p>"
    return f'<section>{heads}{_table(numbers)}<div class="both">{sides}</div></section>'


def _text(output: Output) -> str:
    """Return what the page shows of an output as text."""
    match output:
        case Stream(_, text) | Error(traceback=text):
            return text
        case Value(data) | Figure(data) if not any(mime.name in data for mime in IMAGE_TYPES):
            return data.get(PLAIN.name, "")
    return ""


def _table(numbers: Sequence[MovedNumber]) -> str:
    if not numbers:
        return ""
    largest = sorted(numbers, key=lambda number: -number.share)[:MAX_NUMBERS]
    cells = [(escape(number.old), escape(number.new), _percentage(number)) for number in largest]
    rows = "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in cells)
    more = f"<p>and {len(numbers) - MAX_NUMBERS} smaller changes</p>" if len(numbers) > MAX_NUMBERS else ""
    return f"<table><thead><tr><th>old</th><th>new</th><th>change</th></tr></thead>{rows}</table>{more}"


def _percentage(number: MovedNumber) -> str:
    percent = 100 * number.share
    if not math.isfinite(percent):
        return "not a number"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _side(name: str, run: Run, outputs: Sequence[Output], other_outputs: Sequence[Output]) -> str:
    """Return one of the two columns; lines that the other one does not have are marked."""
    provenance = run.provenance
    versions = " ".join(f"{package} {version}" for package, version in provenance.packages[:1])
    head = " · ".join(part for part in (name, provenance.device, versions, provenance.date[:10]) if part)
    content = "".join(_output(output, other) for output, other in zip_longest(outputs, other_outputs) if output)
    return f"<div><h3>{escape(head)}</h3>{content or '<p>nothing</p>'}</div>"


def _output(output: Output, other_output: Output | None) -> str:
    if isinstance(output, Value | Figure):
        if HTML.name in output.data:
            return f'<iframe sandbox="" title="HTML" srcdoc="{escape(output.data[HTML.name])}"></iframe>'
        for mime in IMAGE_TYPES:
            if mime.name in output.data:
                alt = output.alt if isinstance(output, Figure) else output.data.get(PLAIN.name, "")
                return f'<p><img src="{_data_url(mime.name, output.data[mime.name])}" alt="{escape(alt)}"></p>'
    text = _text(output)
    return _marked_text(text, _text(other_output) if other_output else "") if text else ""


def _data_url(mime: str, data: str) -> str:
    encoded_data = base64.b64encode(data.encode()).decode() if mime == SVG.name else data.strip()
    return f"data:{mime};base64,{escape(encoded_data)}"


def _marked_text(text: str, other_text: str) -> str:
    """Return a text in which the lines are marked that the other one does not have."""
    (shown_text, rest), other_lines = cut(text), set(other_text.splitlines())
    lines = shown_text.rstrip().splitlines()
    marked_lines = (escape(line) if line in other_lines else f"<mark>{escape(line)}</mark>" for line in lines)
    return f"<pre>{chr(10).join(marked_lines)}{rest}</pre>"


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
