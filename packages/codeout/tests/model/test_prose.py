"""Values in the text of a page, and hard-coded numbers."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from codeout import Run, Source, Stream
from codeout.model.outputs import Scalar
from codeout.model.prose import REFERENCE, PageValue, find_value, hardcoded_numbers
from helpers import PROVENANCE, block


def run(text: str = "", **values: Scalar) -> Run:
    return Run(outputs=(Stream("stdout", text),), provenance=PROVENANCE, values=values)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("it gets {accuracy} of them", [("accuracy", None)]),
        ("it gets {accuracy:.0%} of them", [("accuracy", ":.0%")]),
        ("({a}, {b})", [("a", None), ("b", None)]),
        ("{{ macro }} and {{macro}}", []),
        (r"\frac{a}{b} and x_{i}", []),
        ("![](x.png){width}", []),
        ("{.class} {#id} {: .x} {a, b} {}", []),
    ],
)
def test_a_name_in_braces_is_distinguished_from_other_braces(text: str, found: list[tuple[str, str | None]]) -> None:
    assert [(match["name"], match["format"]) for match in REFERENCE.finditer(text)] == found


def test_a_value_is_what_the_nearest_block_above_left() -> None:
    runs = [run(x=1, y=1), run(x=2), run(x=3, z=3)]
    assert [find_value("x", runs[:above], runs[above:]) for above in (1, 2, 3)] == [
        PageValue(1),
        PageValue(2),
        PageValue(3),
    ]
    assert find_value("y", runs, []) == PageValue(1)
    assert find_value("none", runs, []) is None


def test_text_before_the_first_block_shows_the_final_value() -> None:
    assert find_value("x", [], [run(x=1), run(x=2)]) == PageValue(2)


def test_a_value_from_placeholder_data_says_so() -> None:
    real, placeholder = Source("weights", "mirror", "a copy"), Source("CIFAR-10", "placeholder", "drawings")
    runs = [
        run(x=0.5),
        Run(outputs=(), provenance=replace(PROVENANCE, sources=(real, placeholder)), values={"y": 0.9321}),
    ]
    x, y = find_value("x", runs, []), find_value("y", runs, [])
    assert x and y
    assert (x.placeholders, y.placeholders) == ((), (placeholder,))
    assert (x.marked(".1%"), y.marked(".1%")) == ("50.0%", "93.2% (placeholder data)")
    assert format(y.value, ".1%") == "93.2%"


PAGE = """---
number: 7
---
Loss falls to 1.27, from 12,000 pictures; 53 % are right. [7](page7.md) `7` $7$ CIFAR-10

1. 8 is wrong

```python
7
```
"""


def test_a_number_that_matches_no_nearby_block_is_listed() -> None:
    blocks = [block("size = 12_000", line=2), block("pass", line=20)]
    runs = [run("loss 1.269\naccuracy 0.531\n12000"), run("7")]
    assert [(str(t.place), t.number) for t in hardcoded_numbers(PAGE, "docs/page.md", blocks, runs)] == [
        ("docs/page.md:6", "8")
    ]


@pytest.mark.parametrize(
    ("shown", "printed", "wrong"),
    [
        ("1.27", "1.269", False),
        ("1.27", "1.276", True),
        ("1.27", "loss: 1.27", False),
        ("53 %", "0.531", False),
        ("53", "0.531", True),
        ("50,000", "50000", False),
        ("50000", "50,000 images", False),
    ],
)
def test_a_number_may_be_rounded_as_written(shown: str, printed: str, wrong: bool) -> None:
    found = hardcoded_numbers(f"It is {shown}.", "docs/page.md", [block("", line=3)], [run(printed)])
    assert bool(list(found)) is wrong
