"""The snippet of docs/neural_networks.md: it runs as a script, and its page shows its outputs."""

from __future__ import annotations

from page_tests import NUMBER, DiagramTests, PageTests, PictureTests


class TestNeuralNetworks(PageTests, DiagramTests, PictureTests):
    page = "neural_networks"
    rows = {
        "N1": ("net", r"Net\(\n  \(conv1\): Conv2d\(1, 6.*\n(.*\n){4}\)"),
        "NF1": ("diagram", r".*6 × 28 × 28.*16 × 5 × 5.*"),
        "N2": ("parameters", r"10\ntorch\.Size\(\[6, 1, 5, 5\]\)"),
        "N3": ("forward", rf"tensor\(\[\[\s*({NUMBER},?\s*){{10}}\]\], grad_fn=<AddmmBackward0>\)"),
        "N4": ("random_backward", None),
        "N5": ("loss", rf"tensor\({NUMBER}, grad_fn=<MseLossBackward0>\)"),
        "N6": ("chain", r"ConvolutionBackward0\n-> ReluBackward0\n(-> \w+\n)*-> MseLossBackward0"),
        "N7": ("steps_back", r"<MseLoss.*\n<Addmm.*\n<AccumulateGrad.*\n<ReluBackward0.*"),
        "N8": (
            "backprop",
            (
                r"conv1\.bias\.grad before backward\nNone\n"
                rf"conv1\.bias\.grad after backward\ntensor\(\[\s*({NUMBER},?\s*){{6}}\]\)"
            ),
        ),
        "N9": ("update", None),
        "N10": ("optim", None),
    }
    diagrams = ("diagram", "chain_drawn")
    pictures = {"convolve": "after the filter: vertical edges"}
    photographs = ("convolve",)
    printed = (
        "Net(\n  (conv1)",
        "10\ntorch.Size([6, 1, 5, 5])",
        "wrote figures",
    )
