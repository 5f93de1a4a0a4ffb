"""Two sets of runs: noise is equal, and what moved is found."""

from __future__ import annotations

import base64
import io
import sys

import pytest
from msgspec.structs import replace
from PIL import Image

from codeout import CodeoutError, Error, Figure, Provenance, Run, Stream, Value
from codeout.compare.images import picture_difference
from codeout.compare.runs import compare, differ, report
from codeout.model.outputs import Output
from helpers import PROVENANCE


def run(*outputs: Output | str, provenance: Provenance = PROVENANCE) -> Run:
    return Run(outputs=tuple(Stream("stdout", o) if isinstance(o, str) else o for o in outputs), provenance=provenance)


def describe(old: Run, new: Run) -> list[str]:
    return [each.description for each in compare({"block": old}, {"block": new})]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("loss 1.23456", "loss 1.23457"),
        ("<Net at 0x7f3a5c0012d0>", "<Net at 0x7f9b5c4412a0>"),
        ("took 3.21 s", "took 4.5 s"),
        ("12.3 it/s, 15 ms", "9.1 it/s, 22 ms"),
        ("saved to /tmp/codeout-ab12/net.pth", "saved to /tmp/codeout-zz99/net.pth"),
        ("on 2026-11-23T10:15:30Z", "on 2027-01-02T03:04:05Z"),
        ("[ 1.0000, 2.5000]", "[1.0000,  2.5000]"),
        ("nan inf -0.0", "nan inf 0.0"),
        ("a\nb   \n", "a\nb\n"),
    ],
)
def test_noise_is_equal(old: str, new: str) -> None:
    assert describe(run(old), run(new)) == []
    assert describe(run(new), run(old)) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("loss 1.234", "loss 1.241", "1 of 1 numbers changed (largest change: 1.234 → 1.241)"),
        ("[1.0, 2.0, 3.0]", "[1.1, 2.0, 4.0]", "2 of 3 numbers changed (largest change: 3.0 → 4.0)"),
        ("12,000 images", "12,001 images", "1 of 1 numbers changed (largest change: 12,000 → 12,001)"),
        ("torch.Size([4, 3])", "torch.Size([4, 1])", "1 of 2 numbers changed (largest change: 3 → 1)"),
        ("loss 1.2", "loss nan", "1 of 1 numbers changed (largest change: 1.2 → nan)"),
        ("a cat", "a dog", "text differs"),
        ("torch 2.14.1", "torch 2.15.0", "text differs"),
        ("1 2", "1 2 3", "text differs"),
    ],
)
def test_what_moved_is_found_and_how_far(old: str, new: str, said: str) -> None:
    assert describe(run(old), run(new)) == [said]
    assert len(describe(run(new), run(old))) == 1


def test_where_a_text_was_cut_says_nothing_but_its_channel_does() -> None:
    assert describe(run("one ", "two"), run("one two")) == []
    assert describe(run("one"), run(Stream("stderr", "one"))) == ["stdout → stderr"]


def test_other_kinds_of_output_differ() -> None:
    assert describe(run("one"), run(Value({"text/plain": "one"}))) == ["stream → value"]
    assert describe(run("one"), run()) == ["stream → nothing"]
    assert (
        describe(
            run(Error(type="A", message="m", traceback="t1", line=1)),
            run(Error(type="A", message="m", traceback="t2", line=9)),
        )
        == []
    ), "lines move"
    assert describe(
        run(Error(type="A", message="m", traceback="", line=1)), run(Error(type="B", message="m", traceback="", line=1))
    ) == ["A → B"]


def test_the_tolerance_can_be_chosen() -> None:
    old, new = {"b": run("1.00")}, {"b": run("1.04")}
    assert compare(old, new, 0.1) == []
    assert compare(old, new, 0.01) != []


SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><g id="{name}"><path id="{name}2" d="M 0 {y} L 100 {z}" style="clip-path: url(#{name})"/><text>{word}</text></g></svg>'  # noqa: E501


def svg(name: str = "a", y: float = 0, z: float = 50, word: str = "loss") -> str:
    return SVG.format(name=name, y=y, z=z, word=word)


def png(*marks: tuple[int, int], size: int = 20, shade: int = 200) -> str:
    picture = Image.new("RGB", (size, size))
    for mark in marks:
        picture.putpixel(mark, (shade, shade, shade))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


SVG_START = '<svg xmlns="http://www.w3.org/2000/svg"'


def drawing(*elements: str) -> str:
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink"'
    return f"<svg {namespaces}>{''.join(elements)}</svg>"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param('<path class="a"/>', '<path class="b"/>', id="a class"),
        pytest.param('<path clip-path="url(#a)"/>', '<path clip-path="url(#b)"/>', id="what clips it"),
        pytest.param('<path fill="url(#a)"/>', '<path fill="url(#b)"/>', id="the name of a gradient"),
        pytest.param('<use href="#a"/>', '<use href="#b"/>', id="the name of what is drawn"),
        pytest.param('<use x:href="#a"/>', '<use x:href="#b"/>', id="the name, as SVG 1 has it"),
        pytest.param("<text>a b</text>", "<text>a  <tspan>b</tspan></text>", id="the spaces of a text"),
        pytest.param('<path d="M 0 100"/>', '<path d="M 0 100.5"/>', id="half a percent of a picture without a size"),
        pytest.param("<g/><metadata/>", "<defs/>", id="what is not drawn"),
    ],
)
def test_what_cannot_be_seen_in_a_drawing_does_not_count(old: str, new: str) -> None:
    assert picture_difference("image/svg+xml", drawing(old), drawing(new)) == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param('<path fill="red"/>', '<path fill="blue"/>', id="a colour"),
        pytest.param('<path fill="red"/>', "<path/>", id="an attribute less"),
        pytest.param('<path x:title="a"/>', '<path x:title="b"/>', id="an attribute that begins with no name"),
        pytest.param('<path d="M 0 100"/>', '<path d="M 0 100.6"/>', id="more than half a percent"),
        pytest.param('<path d="M 0 1"/>', '<path d="M 0 1 2"/>', id="a number more"),
        pytest.param("<text>ab</text>", "<text>a<tspan>c</tspan></text>", id="a letter"),
        pytest.param("<rect/>", "<circle/>", id="a shape"),
        pytest.param("<rect/>", "", id="nothing"),
        pytest.param('<image href="data:image/png;base64,AAAA"/>', '<image href="#a"/>', id="another kind of image"),
    ],
)
def test_what_can_be_seen_in_a_drawing_counts(old: str, new: str) -> None:
    assert picture_difference("image/svg+xml", drawing(old), drawing(new)) == 1
    assert picture_difference("image/svg+xml", drawing(new), drawing(old)) == 1


@pytest.mark.parametrize(("size", "expected"), [(10, 1), (100, 0)])
def test_how_far_a_point_may_move_unseen_depends_on_the_size_of_the_drawing(size: int, expected: float) -> None:
    old, new = (f'<svg viewBox="0 0 {size} {size}"><path d="M 0 {y}"/></svg>' for y in ("1", "1.1"))
    assert (
        picture_difference("image/svg+xml", old.replace("<svg", SVG_START), new.replace("<svg", SVG_START)) == expected
    )


def test_formats_that_a_browser_does_not_show_are_not_opened() -> None:
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, "bmp")
    old, new = (base64.b64encode(file.getvalue() + end).decode() for end in (b"", b"x"))
    assert picture_difference("image/png", old, new) == 1


def test_base64_may_stand_in_lines() -> None:
    data = png((1, 1))
    assert picture_difference("image/png", data, f"{data[:20]}\n{data[20:]}\n") == 0
    assert picture_difference("image/png", data, f"{data[:20]}?{data[20:]}") == 1


def test_pictures_of_the_same_look_the_same() -> None:
    assert picture_difference("image/svg+xml", svg("a"), svg("b", y=0.2)) == 0
    assert picture_difference("image/png", png((1, 1), shade=200), png((1, 1), shade=203)) == 0


def test_the_difference_of_pictures_grows_with_what_differs() -> None:
    assert picture_difference("image/svg+xml", svg(), svg(z=80)) == 0.5
    assert picture_difference("image/svg+xml", svg(), svg(z=80, word="accuracy")) == 1
    assert picture_difference("image/png", png(), png((1, 1))) == 1 / 400
    assert picture_difference("image/png", png(), png(*[(x, y) for x in range(20) for y in range(10)])) == 0.5
    assert picture_difference("image/png", png(), png(size=10)) == 1
    assert picture_difference("image/svg+xml", svg(), "<svg") == 1


def test_pictures_inside_a_picture_are_compared_by_their_pixels() -> None:
    def around(data: str) -> str:
        inside = f'<image href="data:image/png;base64,{data}"/>'
        return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{inside}</svg>'

    assert picture_difference("image/svg+xml", around(png()), around(png((1, 1)))) == 0
    assert picture_difference("image/svg+xml", around(png()), around(png(*[(x, 3) for x in range(20)]))) == 1


def test_a_figure_that_looks_different_is_found() -> None:
    old, new = (run(Figure({"image/svg+xml": picture}, "loss")) for picture in (svg(), svg(z=80)))
    assert describe(old, new) == ["the picture looks 50 % different"]
    renamed = run(Figure({"image/svg+xml": svg()}, "accuracy"))
    assert describe(old, renamed) == ["alt text: 'loss' → 'accuracy'"]


def test_bundles_are_compared_type_by_type() -> None:
    old, new = Value({"text/plain": "1.0", "text/html": "<b>1.0</b>"}), Value({"text/plain": "1.0"})
    assert describe(run(old), run(new)) == ["text/html, text/plain → text/plain"]
    assert describe(run(new), run(old)) == ["text/plain → text/html, text/plain"]
    assert describe(run(Value({"text/plain": "1.0"})), run(Value({"text/plain": "1.00001"}))) == []
    assert describe(run(Value({"text/plain": "a"})), run(Value({"text/plain": "b"}))) == ["text differs"]
    assert len(compare({"b": run(Value({"text/plain": "1.0"}))}, {"b": run(Value({"text/plain": "1.1"}))}, 0.2)) == 0


def test_the_text_of_a_picture_says_nothing_but_its_other_types_do() -> None:
    old = Figure({"image/svg+xml": svg(), "text/plain": "<Figure size 480x300>", "text/url": "a"}, "")
    new = Figure({"image/svg+xml": svg(), "text/plain": "<Figure size 640x400>", "text/url": "a"}, "")
    assert describe(run(old), run(new)) == []
    other = replace(new, data={**new.data, "text/url": "b"})
    assert describe(run(old), run(other)) == ["text differs"]


def test_blocks_are_compared_in_the_order_of_their_numbers() -> None:
    old = {"s 10": run("a"), "s 9": run("b"), "s 8": run("gone"), "r 11": run("c")}
    new = {"s 10": run("b"), "s 9": run("c"), "s 7": run("new"), "r 11": run("d")}
    found = [(each.block, each.kind, each.old, each.new) for each in compare(old, new)]
    assert found == [
        ("r 11", "changed", "c", "d"),
        ("s 7", "added", "", "new"),
        ("s 8", "removed", "gone", ""),
        ("s 9", "changed", "b", "c"),
        ("s 10", "changed", "a", "b"),
    ]


def test_each_difference_of_a_block_is_named_once() -> None:
    outputs: list[Output] = [Stream("stdout", "a"), Value({"text/plain": "b"}), Stream("stdout", "c")]
    others: list[Output] = [Stream("stderr", "a"), Value({"text/plain": "x"}), Stream("stdout", "y")]
    assert describe(run(*outputs), run(*others)) == ["stdout → stderr; text differs"]


def test_the_report_names_what_is_on_one_side_only() -> None:
    old = {"a": run("x"), "b": run("y"), "c\nd": run("z")}
    new = {"a": run("x", provenance=replace(PROVENANCE, python="3.12", packages=(("numpy", "2.0"),)))}
    lines = report(compare(old, new), old, new).splitlines()
    assert lines == [
        "# Outputs: 0 of 1 changed",
        "",
        "- Python 3.11 → 3.12",
        "- numpy none → 2.0",
        "- torch 2.15.0 → none",
        "- removed: b, c d",
    ]


def test_a_change_in_a_report_is_a_diff_with_a_line_around_it() -> None:
    lines = "one\ntwo\nthree\nfour\n"
    old, new = {"a": run(lines)}, {"a": run(lines.replace("four", "five"))}
    expected = "## a\n\ntext differs\n\n```diff\n--- old\n+++ new\n@@ -3,2 +3,2 @@\n three\n-four\n+five\n```\n"
    assert report(compare(old, new), old, new).endswith(expected)


def test_the_report_shows_old_beside_new_and_what_the_machines_were() -> None:
    old = {"docs/a.md s 1": run("same\nloss 1.0\n"), "gone": run("x"), "same": run("y")}
    newer = Provenance(
        device="NVIDIA T4", python=PROVENANCE.python, packages=PROVENANCE.packages, seconds=1.0, date="", sources=()
    )
    new = {"docs/a.md s 1": run("same\nloss 2.0\n", provenance=newer), "more": run("z"), "same": run("y")}
    said = report(compare(old, new), old, new)
    assert said.startswith("# Outputs: 1 of 2 changed\n")
    assert f"device {PROVENANCE.device} → {', '.join(sorted({'NVIDIA T4', PROVENANCE.device}))}" in said
    assert "- added: more" in said
    assert "- removed: gone" in said
    assert "-loss 1.0\n+loss 2.0" in said
    assert "## docs/a.md s 1" in said


def test_outputs_are_data_in_a_report() -> None:
    hostile = "````\n<script>alert(1)</script>\n| a |\n"
    old, new = {"`<b>|": run("")}, {"`<b>|": run(hostile)}
    lines = report(compare(old, new), old, new).splitlines()
    fence = next(line for line in lines if line.endswith("diff"))
    assert fence == "`````diff"
    assert lines[-1] == "`````"
    assert r"## \`\<b\>\|" in lines


def test_names_of_blocks_and_machines_are_data_in_a_report() -> None:
    machines = {"a": run("")}, {"a": run("", provenance=replace(PROVENANCE, device="[x](https://x)"))}
    said = report(compare({"<i>gone": run("")}, {"![x](y)": run("")}), *machines)
    assert "[x](" not in said
    assert "<i>" not in said


def test_a_long_output_is_cut_in_a_report() -> None:
    old, new = {"a": run("x")}, {"a": run("y\n" * 9000)}
    said = report(compare(old, new), old, new)
    assert len(said) < 6000
    assert "more characters" in said


def test_what_is_measured_is_left_out_of_a_comparison_and_not_beside_another_device() -> None:
    old, new = (
        Run(outputs=(Stream("stdout", word),), provenance=PROVENANCE, measured=True) for word in ("12.5", "99.5")
    )
    assert compare({"b": old}, {"b": new}) == []
    assert compare({"b": replace(old, measured=False)}, {"b": new}) != []
    assert differ(old, new)


def test_blocks_below_a_measured_one_are_compared() -> None:
    old = {"a": Run(outputs=(Stream("stdout", "1"),), provenance=PROVENANCE, measured=True), "b": run("x")}
    new = {"a": Run(outputs=(Stream("stdout", "2"),), provenance=PROVENANCE, measured=True), "b": run("y")}
    assert [each.block for each in compare(old, new)] == ["b"]


@pytest.mark.parametrize(
    ("old", "new"),
    [("123456.0", "123457.0"), ("0.00001", "0.00002"), ("1e6", "1.00001e6")],
    ids=["relative to its size", "close to zero", "with an exponent"],
)
def test_a_number_may_move_a_little(old: str, new: str) -> None:
    assert describe(run(old), run(new)) == []


def test_a_long_text_of_spaces_is_compared_soon() -> None:
    old, new = run(" " * 200_000 + "1"), run(" " * 200_000 + "2")
    assert describe(old, new) == ["1 of 1 numbers changed (largest change: 1 → 2)"]


def test_a_number_beside_what_stands_for_one_is_a_difference() -> None:
    assert describe(run("x 1"), run("x #")) == ["text differs"]


def test_what_is_no_picture_differs_from_one() -> None:
    good = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    assert picture_difference("image/png", good, "AAAA") == 1.0


def test_a_path_with_a_hash_for_a_number_is_another_one() -> None:
    old, new = (f'<svg xmlns="http://www.w3.org/2000/svg"><path d="M 1 {word}"/></svg>' for word in ("2", "#"))
    assert picture_difference("image/svg+xml", old, new) == 1.0


def test_nothing_but_pictures_is_opened_as_one() -> None:
    eps = base64.b64encode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n").decode()
    assert picture_difference("image/png", eps, eps + "AAAA") == 1.0


def test_without_pillow_equal_images_are_equal_and_others_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert picture_difference("image/png", png(), png()) == 0
    assert picture_difference("image/svg+xml", svg(), svg(z=80)) == 0.5
    with pytest.raises(CodeoutError, match=r"comparing pictures needs Pillow; pip install codeout\[images\]"):
        picture_difference("image/png", png(), png((1, 1)))
