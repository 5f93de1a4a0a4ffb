"""What differs between two sets of runs, as a page to look at: old beside new, figures as pictures.

Values in, HTML out. The page stands alone, and nothing in an output can act in it: text is text, a picture is shown as
an image, and HTML in a frame without script.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import zip_longest

from codeout.compare.runs import LONGEST, Difference, Moved, machines, merged, moved
from codeout.model.outputs import Error, Figure, Output, Run, Stream, Value

NUMBERS = 12  # that are listed of a block
PICTURES = ("image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp")
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


def page(differences: Sequence[Difference], old: Mapping[str, Run], new: Mapping[str, Run]) -> str:
    """Return the HTML of a page.

    Args:
        differences: as `compare` finds them.
        old: runs by the names of their blocks.
        new: likewise.
    """
    changed = [each for each in differences if each.kind == "changed"]
    title = f"Outputs: {len(changed)} of {len({*old} & {*new})} changed"
    parts = [f"<h1>{title}</h1>", _list(machines(old, new))]
    parts += [_list(f"{each.kind}: {each.block}" for each in differences if each.kind != "changed")]
    parts += [_block(each, old[each.block], new[each.block]) for each in changed]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # for the frames, too
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    head += f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    return (
        f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body>{"".join(parts)}</body></html>'
    )


def _block(difference: Difference, old: Run, new: Run) -> str:
    was, now = merged(old.outputs), merged(new.outputs)
    numbers = [number for pair in zip(was, now, strict=False) for number in _numbers(*pair)]
    sides = [_side(*told) for told in (("old", old, was, now), ("new", new, now, was))]
    heads = f"<h2>{escape(difference.block)}</h2><p>{escape(difference.words)}</p>"
    return f'<section>{heads}{_table(numbers)}<div class="both">{"".join(sides)}</div></section>'


def _numbers(old: Output, new: Output) -> Iterator[Moved]:
    for was, now in zip(_texts(old), _texts(new), strict=False):
        yield from moved(was, now)


def _texts(output: Output) -> list[str]:
    match output:
        case Stream(_, text):
            return [text]
        case Error(_, _, traceback):
            return [traceback]
        case Value(data) | Figure(data) if not any(mime in data for mime in PICTURES):
            return [data.get("text/plain", "")]
    return []


def _table(numbers: Sequence[Moved]) -> str:
    if not numbers:
        return ""
    rows = "".join(
        f"<tr><td>{escape(number.old)}</td><td>{escape(number.new)}</td><td>{_share(number)}</td></tr>"
        for number in sorted(numbers, key=lambda number: -number.share)[:NUMBERS]
    )
    more = f"<p>and {len(numbers) - NUMBERS} more numbers, by less</p>" if len(numbers) > NUMBERS else ""
    return f"<table><thead><tr><th>old</th><th>new</th><th>moved by</th></tr></thead>{rows}</table>{more}"


def _share(number: Moved) -> str:
    percent = 100 * number.share
    if not math.isfinite(percent):
        return "not a number"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _side(name: str, run: Run, own: Sequence[Output], other: Sequence[Output]) -> str:
    told = run.provenance
    versions = " ".join(f"{package} {version}" for package, version in told.packages[:1])
    when = " · ".join(part for part in (name, told.device, versions, told.date[:10]) if part)
    shown = "".join(_shown(output, beside) for output, beside in zip_longest(own, other) if output)
    return f"<div><h3>{escape(when)}</h3>{shown or '<p>nothing</p>'}</div>"


def _shown(output: Output, other: Output | None) -> str:
    if isinstance(output, Value | Figure):
        if "text/html" in output.data:
            return f'<iframe sandbox="" title="HTML" srcdoc="{escape(output.data["text/html"])}"></iframe>'
        for mime in PICTURES:
            if mime in output.data:
                alt = output.alt if isinstance(output, Figure) else output.data.get("text/plain", "")
                return f'<p><img src="{_address(mime, output.data[mime])}" alt="{escape(alt)}"></p>'
    texts, others = _texts(output), _texts(other) if other else []
    return "".join(_marked(text, beside or "") for text, beside in zip_longest(texts, others, fillvalue="") if text)


def _address(mime: str, data: str) -> str:
    packed = base64.b64encode(data.encode()).decode() if mime == "image/svg+xml" else data.strip()
    return f"data:{mime};base64,{escape(packed)}"


def _marked(text: str, other: str) -> str:
    """Return a text with the lines marked that the other one does not have."""
    known = set(other.splitlines())
    lines = [
        escape(line) if line in known else f"<mark>{escape(line)}</mark>"
        for line in text[:LONGEST].rstrip().splitlines()
    ]
    cut = f"\n… {len(text) - LONGEST:,} characters more" if len(text) > LONGEST else ""
    return f"<pre>{chr(10).join(lines)}{cut}</pre>"


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
