"""Whether a block did what its page expects, and the error message or output if it did not."""

from __future__ import annotations

from codeout.errors import BlockError
from codeout.model.blocks import Block
from codeout.model.outputs import Error, Run

SKIPPED = "Skipped"
"""The type of the error that a block shows which did not run, since one above it failed."""


def has_unexpected_error(block: Block, run: Run) -> bool:
    """Return whether a block raised an exception that its page does not expect."""
    return run.error is not None and not run.error.is_a(block.raises)


def is_missing_error(block: Block, run: Run) -> bool:
    """Return whether a block did not raise although its page expects an exception."""
    return run.error is None and bool(block.raises)


def check_expectation(block: Block, run: Run) -> None:
    """Check that a block raised the exception that its page expects, and no other.

    Raises:
        BlockError: it did not; the message has the line of the page, that of the snippet, and the traceback.
    """
    if is_missing_error(block, run):
        raise BlockError(_missing_error_message(block))
    error = run.error
    if error is not None and has_unexpected_error(block, run):
        expected = f" (the page expects {block.raises})" if block.raises else ""
        location = block.locate(error.line)
        raise BlockError(f"{location}: {error.type}: {error.message}{expected}\n{error.traceback}".rstrip())


def with_missing_error(block: Block, run: Run) -> Run:
    """Return a run that shows an error if an expected exception was not raised; else the run itself."""
    if not is_missing_error(block, run):
        return run
    message = _missing_error_message(block)
    return run.replace_outputs((*run.outputs, Error("BlockError", message, message, None)))


def skipped_run(run: Run, failed: Block) -> Run:
    """Return the run of a block that was skipped because one above it failed.

    Args:
        run: provides the provenance.
        failed: the block above.
    """
    message = f"Did not run: the block at {failed} failed."
    return run.replace_outputs((Error(SKIPPED, message, message, None),))


def _missing_error_message(block: Block) -> str:
    return f"{block}: no exception was raised; the page expects {block.raises}"
