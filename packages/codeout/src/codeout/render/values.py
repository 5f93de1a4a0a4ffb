"""Show a value of a page's blocks in its text, marked if it comes from placeholder data."""

from __future__ import annotations

from html import escape

from codeout.model.prose import PLACEHOLDER_MARK, PageValue


def render_value(value: PageValue, spec: str) -> str:
    """Return the HTML of a value; one from placeholder data is followed by a mark that needs no stylesheet.

    Args:
        value: the value, and the placeholder data that it comes from.
        spec: Python's format specification.

    Raises:
        ValueError: the specification does not suit the value.
    """
    text = escape(value.formatted(spec))
    if not value.placeholders:
        return f'<span class="codeout-named">{text}</span>'
    title = escape("Computed from placeholder data: " + "; ".join(f"{s.name}: {s.note}" for s in value.placeholders))
    mark = f'<small class="codeout-placeholder-mark">{PLACEHOLDER_MARK}</small>'
    return f'<span class="codeout-named codeout-placeholder-value" title="{title}"><span>{text}</span>{mark}</span>'
