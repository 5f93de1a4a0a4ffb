"""The snippet of docs/index.md: a script that runs alone, and what its page shows of it."""

from __future__ import annotations

from page_tests import PageTests


class TestIndex(PageTests):
    page = "index"
    rows = {  # row of the source's inventory: section, what its Out shows; None: it shows none
        "home": ("square", r"tensor\(9\., grad_fn=<PowBackward0>\)\ntensor\(6\.\)"),
    }
    printed = ("tensor(6.)",)  # by the script, with stand-ins for data
