"""What a page expects of a block, and what is said when the block does otherwise."""

from __future__ import annotations

from dataclasses import replace

from codeout.errors import BlockError
from codeout.model.blocks import Block
from codeout.model.outputs import Error, Run


def unexpected(block: Block, run: Run) -> bool:
    """Return whether a block raised what its page does not expect."""
    return run.error is not None and not run.error.is_a(block.raises)


def skipped(run: Run, failed: Block) -> Run:
    """Return what stands for the run of a block below one that failed."""
    words = f"Did not run: the block at {failed} failed."
    return replace(run, outputs=(Error("Skipped", words, words, None),))


def with_absence(block: Block, run: Run) -> Run:
    """Return a run that shows that an expected exception did not come, if it did not."""
    if run.error is not None or not block.raises:
        return run
    words = f"{block}: raised nothing, but the page expects {block.raises}"
    return replace(run, outputs=(*run.outputs, Error("BlockError", words, words, None)))


def check(block: Block, run: Run) -> None:
    """Raise if a block raised what its page does not expect, or did not raise what it does.

    Raises:
        BlockError: with the page and line, the snippet and line, and the traceback.
    """
    error = run.error
    if error is None and block.raises:
        raise BlockError(f"{block}: raised nothing, but the page expects {block.raises}")
    if error is not None and not error.is_a(block.raises):
        expected = f" (the page expects {block.raises})" if block.raises else ""
        where = block.line(error.line)
        raise BlockError(f"{where}: {error.type}: {error.message}{expected}\n{error.traceback}".rstrip())
