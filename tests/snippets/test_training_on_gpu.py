"""The snippet of docs/training_on_gpu.md: a script that runs alone, and what its page shows of it."""

from __future__ import annotations

from page_tests import PageTests, PictureTests


class TestTrainingOnGpu(PageTests, PictureTests):
    page = "training_on_gpu"
    rows = {  # row of the source's inventory: section, what its Out shows; None: it shows none
        "G1": ("device", r"cpu|cuda:\d|mps:\d|xpu:\d"),
        "G2": ("move", None),
        "G3": ("batch", None),
    }
    pictures = {  # section: the words of its picture
        "chart": "milliseconds against width of the network",
    }
    printed = ("last 200 steps",)  # by the script, with placeholders for data
