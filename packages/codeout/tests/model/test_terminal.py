"""What a terminal would show of printed text, and runs as JSON."""

from __future__ import annotations

import pytest

from codeout import Figure, Output, Stream
from codeout.model.terminal import MAX_PADDING, collapse_streams, render_terminal


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        pytest.param("a\nb\n", "a\nb\n", id="plain text stays"),
        pytest.param("  0%\r 50%\r100%\n", "100%\n", id="a progress bar shows as its last state"),
        pytest.param("long line\rshort\n", "shortline\n", id="a carriage return alone erases nothing"),
        pytest.param("long line\r\x1b[Kshort\n", "short\n", id="erasing to the end of the line"),
        pytest.param("abc\x1b[1K\n", "   \n", id="erasing to the start of the line"),
        pytest.param("abc\b\bX\n", "aXc\n", id="backspace moves, and does not erase"),
        pytest.param("one\ntwo\n\x1b[2A\x1b[2Knew\n", "new\ntwo\n", id="cursor up"),
        pytest.param("one\n\x1b[1Fnew\n\x1b[1Eend", "new\nend", id="lines up and down"),
        pytest.param("a\x1b[3Cb\x1b[2Dc\x1b[1Gd", "d  cb", id="cursor left, right and to a column"),
        pytest.param("\x1b[31mred\x1b[0m\n", "red\n", id="colors vanish"),
        pytest.param("\x1b]0;title\x07text\x1b(B", "text", id="titles and character sets vanish"),
        pytest.param("\x1b[4:3ma\x1b[38:2::1:2:3mb\x1b[>4;2mc\x1b[?25ld\x1b[1 qe", "abcde", id="styles vanish"),
        pytest.param("a\x1bPq#0;2\x1b\\b\x1b_apc\x1b\\c\x1b^pm\x1b\\d\x1bXsos\x1b\\e", "abcde", id="strings vanish"),
        pytest.param("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", "alinkb", id="links leave their text"),
        pytest.param("a\x1b]0;never ends", "a", id="a string without an end"),
        pytest.param("\x1b]0;t\x9c shown", " shown", id="a title that ends in U+009C"),
        pytest.param("a\x1bPq\x9cb\x1b_x\x9cc\x1b^x\x9cd\x1bXx\x9ce", "abcde", id="other strings that end in U+009C"),
        pytest.param("\x9d0;t\x9ca\x9d0;t\x07b\x9d0;t\x1b\\c", "abc", id="titles that begin with U+009D"),
        pytest.param(
            "a\x90q\x9cb\x9fx\x9cc\x9ex\x9cd\x98x\x9ce", "abcde", id="other strings that begin with one character"
        ),
        pytest.param("\x9b31mred\x9b0m \x9b2Dx", "rex ", id="control sequences that begin with U+009B"),
        pytest.param("\x1b]0;t\x18a\x1bPq\x1ab", "ab", id="cancelled strings"),
        pytest.param("\x1b]0;t\x1b[31ma\x1bPq\x1b[0mb", "ab", id="strings that another sequence ends"),
        pytest.param("a\x1bPq\x07x\x1b\\b", "ab", id="a bell ends no other string"),
        pytest.param("a\x1bPq\x07b", "ab", id="unless nothing else does"),
        pytest.param("a\x1bPq", "a", id="a picture without an end"),
        pytest.param("a\x1b_x\n", "a", id="a command without an end"),
        pytest.param("a\x1b]8;;http://x", "a", id="a link without an end"),
        pytest.param(
            "Stra\xc3\x9fe \xe2\x80\x9eja\xe2\x80\x9c",
            "Stra\xc3\x9fe \xe2\x80\x9eja\xe2\x80\x9c",
            id="UTF-8 decoded as Latin-1",
        ),
        pytest.param("Home \x9b Docs \x9f \x9d1", "Home \x9b Docs \x9f \x9d1", id="Windows-1252 decoded as Latin-1"),
        pytest.param("ab\x1b7cd\x1b8X", "abXd", id="the cursor is saved and restored"),
        pytest.param("ab\x1b[scd\x1b[uX", "abXd", id="likewise by a control sequence"),
        pytest.param("ab\ncd\x1b[1;2HX\x1b[2;1fY", "aX\nYd", id="the cursor is put somewhere"),
        pytest.param("ab\ncd\nef\x1b[1;2H\x1b[J", "a", id="erasing to the end of the screen"),
        pytest.param("ab\x1bcd", "d", id="a reset"),
        pytest.param("old\n\x1b[2Jnew", "new", id="clearing the screen"),
        pytest.param("caf\u00e9 \u2026\n", "caf\u00e9 \u2026\n", id="letters beyond ASCII"),
        pytest.param("a\x00\x07b", "ab", id="bells and nulls vanish"),
        pytest.param("a\n\x1b[" + "9" * 5000 + "Ab", "b\n", id="a number of 5,000 digits is a large one"),
        pytest.param("a\n\x1b[" + "0" * 5000 + "1Ab", "b\n", id="leading zeros change no number"),
    ],
)
def test_text_is_shown_as_a_terminal_finally_shows_it(written: str, shown: str) -> None:
    assert "".join(stream.text for stream in render_terminal([Stream("stdout", written)])) == shown


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("\x1b[30000000Cx", id="to the right"),
        pytest.param("\x1b[30000000Gx", id="to a column"),
        pytest.param("\x1b[900Cx\n" * 20_000, id="to the right, on many lines"),
        pytest.param("\n" * 100 + "\x1b[A" + "x" * 20_000 + "\x1b[Ax" * 100, id="up from a long line"),
    ],
)
def test_cursor_moves_add_a_limited_number_of_spaces(written: str) -> None:
    (shown,) = render_terminal([Stream("stdout", written)])
    assert shown.text.count("x") > 0
    assert shown.text.count(" ") <= MAX_PADDING


def test_both_channels_share_a_screen_and_can_be_told_apart() -> None:
    written = [Stream("stdout", "a\n"), Stream("stderr", "10%\r"), Stream("stderr", "99%\n"), Stream("stdout", "b\n")]
    assert list(render_terminal(written)) == [
        Stream("stdout", "a\n"),
        Stream("stderr", "99%\n"),
        Stream("stdout", "b\n"),
    ]


def test_text_before_and_after_a_figure_stays_apart() -> None:
    figure = Figure({"image/svg+xml": "<svg/>"}, "words")
    outputs: list[Output] = [Stream("stdout", "a"), Stream("stdout", "b"), figure, Stream("stdout", "c")]
    assert list(collapse_streams(outputs)) == [Stream("stdout", "ab"), figure, Stream("stdout", "c")]
