"""Whether a block did what its page expects, and the error message or output if it did not."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

import msgspec

from codeout.errors import BlockError
from codeout.model.blocks import Block
from codeout.model.outputs import Error, Output, Run

SKIPPED = "Skipped"
"""The type of the error that a block shows which did not run, since one above it failed."""


def has_unexpected_error(block: Block, run: Run) -> bool:
    """Return whether a block raised an exception that its page does not expect."""
    return _unexpected_error(block, run) is not None


def _unexpected_error(block: Block, run: Run) -> tuple[str, Error] | None:
    if run.error is not None and not run.error.is_a(block.raises):
        return "", run.error
    errors = ((case, output) for case in run.cases for output in case.outputs if isinstance(output, Error))
    unexpected = ((case, error) for case, error in errors if not error.is_a(block.raises))
    return next(((block.sweep.describe(case.values), error) for case, error in unexpected), None)


def is_missing_error(block: Block, run: Run) -> bool:
    """Return whether a block did not raise although its page expects an exception."""
    return run.error is None and bool(block.raises)


def check_expectation(block: Block, run: Run) -> None:
    """Check that a block raised the exception that its page expects, and no other.

    Raises:
        BlockError: it did not.
    """
    if is_missing_error(block, run):
        raise BlockError(_missing_error_message(block))
    if unexpected := _unexpected_error(block, run):
        case, error = unexpected
        is_typo = get_close_matches(block.raises, [error.type], n=1, cutoff=0.75)
        guess = f"; did you mean {error.type!r}?" if is_typo else ""
        expectation = f" (the page expects {block.raises}{guess})" if block.raises else ""
        location = f"{block.locate(error.line)}: {f'with {case}: ' if case else ''}"
        filters = "\n(a warning that a filter makes an error: look for `warnings` in the prelude)"
        hint = filters if error.is_a("Warning") else ""
        raise BlockError(f"{location}{error.type}: {error.message}{expectation}{hint}\n{error.traceback}".rstrip())


def with_hint(run: Run, find: Callable[[Error], str]) -> Run:
    """Return a run whose exceptions end with what to do about them, where there is something to say."""

    def add(output: Output) -> Output:
        if isinstance(output, Error) and (hint := find(output)):
            return msgspec.structs.replace(output, traceback=f"{output.traceback.rstrip()}\nHint: {hint}.\n")
        return output

    return run.map_outputs(add)


def with_missing_error(block: Block, run: Run) -> Run:
    """Return a run that shows an error if an expected exception was not raised; else the run itself."""
    if not is_missing_error(block, run):
        return run
    message = _missing_error_message(block)
    error = Error(type="BlockError", message=message, traceback=message, line=None)
    return msgspec.structs.replace(run, outputs=(*run.outputs, error))


def skipped_run(run: Run, failed_block: Block) -> Run:
    """Return a run as that of a block that was skipped because one above it failed."""
    message = f"Did not run: the block at {failed_block} failed."
    error = Error(type=SKIPPED, message=message, traceback=message, line=None)
    return msgspec.structs.replace(run, outputs=(error,), cases=())


def _missing_error_message(block: Block) -> str:
    return f"{block}: no exception was raised; the page expects {block.raises}"
