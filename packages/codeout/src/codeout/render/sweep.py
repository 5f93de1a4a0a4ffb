"""The HTML of a sweep: a control for each knob, and the outputs of all cases, of which a script shows the chosen one.

Without scripts the cases stand one below the other. Pictures of other cases than the first load when they are shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from codeout.model.sweeps import Knob, Sweep


def sweep_html(sweep: Sweep, cases: Iterable[tuple[tuple[str, ...], str]], block_id: str) -> str:
    """Return the controls of a sweep, and its cases: the values and the HTML of each, the first of which is shown."""
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
