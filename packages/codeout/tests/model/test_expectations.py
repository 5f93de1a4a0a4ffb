"""What a page expects of a block, and the message if the block does something else."""

from __future__ import annotations

import pytest

from codeout import BlockError, Error, Run, Stream
from codeout.model.expectations import check_expectation, has_unexpected_error, skipped_run, with_missing_error
from helpers import PROVENANCE, block

RUN = Run(outputs=(Stream("stdout", "before\n"),), provenance=PROVENANCE)
FAILED = Run(
    outputs=(
        Error(
            type="KeyError",
            message="'a'",
            traceback="Traceback\nKeyError: 'a'",
            line=3,
            bases=("LookupError", "Exception"),
        ),
    ),
    provenance=PROVENANCE,
)


@pytest.mark.parametrize(("raises", "is_unexpected"), [("", True), ("ValueError", True), ("LookupError", False)])
def test_an_exception_is_expected_by_its_name_or_that_of_a_base(raises: str, is_unexpected: bool) -> None:
    assert has_unexpected_error(block("1", raises=raises), FAILED) is is_unexpected
    assert not has_unexpected_error(block("1", raises=raises), RUN)


def test_an_unexpected_exception_is_reported_with_its_line_and_traceback() -> None:
    message = r"^docs/page\.md:3: KeyError: 'a' \(the page expects ValueError\)\nTraceback\nKeyError: 'a'$"
    with pytest.raises(BlockError, match=message):
        check_expectation(block("1", raises="ValueError"), FAILED)
    check_expectation(block("1", raises="KeyError"), FAILED)
    check_expectation(block("1"), RUN)


def test_a_missing_exception_is_an_error_or_shown_as_one() -> None:
    expecting = block("1", raises="KeyError")
    message = "docs/page.md:1: no exception was raised; the page expects KeyError"
    with pytest.raises(BlockError, match=f"^{message}$"):
        check_expectation(expecting, RUN)
    shown = with_missing_error(expecting, RUN)
    assert shown.outputs[0] == RUN.outputs[0]
    assert shown.error and shown.error.message == message
    assert with_missing_error(expecting, FAILED) is FAILED
    assert with_missing_error(block("1"), RUN) is RUN


def test_a_block_below_a_failed_one_says_that_it_did_not_run() -> None:
    skipped = skipped_run(FAILED, block("1"))
    assert skipped.error and skipped.error.message == "Did not run: the block at docs/page.md:1 failed."
    assert skipped.provenance == FAILED.provenance
