"""The text of outputs, where options of a block ask for just that: as HTML, as Markdown, or in a box."""

from __future__ import annotations

from collections.abc import Iterable

from codeout.model.mime import HTML, PLAIN, MimeType, preferred_type
from codeout.model.outputs import Output, Stream, Value


def is_textual(output: Output) -> bool:
    """Return whether an output is text, or a value that has a form as text, and is no picture."""
    is_picture = isinstance(output, Value) and preferred_type(output.data).is_image
    return isinstance(output, Stream | Value) and not is_picture


def plain_text(outputs: Iterable[Output]) -> str:
    """Return printed text and values as plain text, for options that ask for it."""
    return "".join(_output_text(output, PLAIN) for output in outputs)


def printed_text(outputs: Iterable[Output]) -> str:
    """Return text that is content of the page, which warnings and logs are not."""
    shown = (output for output in outputs if not (isinstance(output, Stream) and output.name == "stderr"))
    return "".join(_output_text(output, HTML) for output in shown)


def _output_text(output: Output, preferred: MimeType) -> str:
    match output:
        case Stream(_, text):
            return text
        case Value(data):
            return data.get(preferred.name) or data.get(PLAIN.name, "")
    return ""
