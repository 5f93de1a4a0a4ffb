"""The snippet of docs/autograd.md: it runs as a script, and its page shows its outputs."""

from __future__ import annotations

from page_tests import DiagramTests, PageTests, PictureTests


class TestAutograd(PageTests, DiagramTests, PictureTests):
    page = "autograd"
    rows = {
        "A1": ("model", r"11689512 parameters"),
        "A2": ("forward", None),
        "A3": ("backward", None),
        "A4": ("optimizer", None),
        "A5": ("step", None),
        "A6": ("leaves", None),
        "A7": ("q", None),
        "A8": ("q_backward", None),
        "A9": ("check", r"(tensor\(\[True, True\]\)\n?){2}"),
        "AF1": ("graph", r".*PowBackward0.*SubBackward0.*"),
        "A10": ("tracking", r"Does `a` require gradients\? False\nDoes `b` require gradients\? True"),
        "A11": ("freeze", None),
        "A12": ("head", None),
        "A13": ("only_head", None),
    }
    diagrams = ("graph",)
    pictures = {"slope": "a step against the gradient goes downhill"}
    # printed by the script, with placeholders for data
    printed = ("tensor([True, True])\ntensor([True, True])", "wrote figures")
