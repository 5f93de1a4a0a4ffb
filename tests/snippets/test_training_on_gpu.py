"""The snippet of docs/training_on_gpu.md: it runs as a script, and its page shows its outputs."""

from __future__ import annotations

from page_tests import PageTests, PictureTests


class TestTrainingOnGpu(PageTests, PictureTests):
    page = "training_on_gpu"
    rows = {
        "G1": ("device", r"cpu|cuda:\d|mps:\d|xpu:\d"),
        "G2": ("move", None),
        "G3": ("batch", None),
    }
    pictures = {
        "chart": "milliseconds against width of the network",
    }
    printed = ("last 200 steps",)
