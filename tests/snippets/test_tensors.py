"""The snippet of docs/tensors.md: it runs as a script, and its page shows its outputs."""

from __future__ import annotations

from page_tests import DiagramTests, PageTests


class TestTensors(PageTests, DiagramTests):
    page = "tensors"
    rows = {
        "T1": ("make", r"tensor\(\[\[3\., 1\., 2\.\],\n +\[0\., 5\., 4\.\]\]\)\ntorch\.Size\(\[2, 3\]\)"),
        "T2": ("dtype", r"torch\.int64 torch\.float32\ntorch\.float32 torch\.float32\ntensor\(\[1, 2, 3\]\)"),
        "T3": ("broadcast", r"tensor\(\[\[ 1,  2,  3,  4\],\n.*\n.*\]\]\)"),
        "TF1": ("broadcast_drawn", r".*\(3, 1\).*\(4\).*\(3, 4\).*"),
        "T4": ("mismatch", r"The size of tensor a \(3\) must match the size of tensor b \(2\) .*"),
        "T5": ("view", r"tensor\(\[100, +1, +2, +3, +4, +5\]\)"),
        "T6": ("shapes", r"torch\.Size\(\[4, 10\]\)\ntorch\.Size\(\[4\]\)"),
    }
    diagrams = ("broadcast_drawn",)
    printed = ("tensor([100,",)
