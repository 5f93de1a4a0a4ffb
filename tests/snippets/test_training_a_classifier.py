"""The snippet of docs/training_a_classifier.md: it runs as a script, and its page shows its outputs."""

from __future__ import annotations

from pathlib import Path

from page_tests import PageTests, PictureTests, out


class TestTrainingAClassifier(PageTests, PictureTests):
    page = "training_a_classifier"
    rows = {
        "K1": ("imports", None),
        "K2": ("dataset", r"\d+ training images, \d+ test images"),
        "KF1": ("samples", r".*plane.*truck.*"),
        "K3": ("batch", r"\s*(\w+ *){4}"),
        "K4": ("net", None),
        "K5": ("optimizer", None),
        "K6": ("train", r"(\[[12], +\d+\] loss: \d\.\d{3}\n){2,12}Finished Training"),
        "K7": ("save", None),
        "K8": ("test_batch", r"\s*GroundTruth: ( \w+ *){4}"),
        "K9": ("load", r"<All keys matched successfully>"),
        "K10": ("outputs", None),
        "K11": ("predicted", r"Predicted: ( \w+ *){4}"),
        "K12": ("accuracy", r"Accuracy of the network on the \d+ test images: \d\d\.\d %"),
        "K13": ("class_accuracy", r"(Accuracy for class: \w+ +is \d+\.\d %\n?){10}"),
    }
    pictures = {
        "batch": "Four training images",
        "test_batch": "The first four test images",
        "curve": "Loss while training; loss, mean of 500 steps against steps of 4 images",
        "beliefs": "cat|plane",
        "bars": "Accuracy of each class",
        "confusion": "taken for",
        "filters": "six filters",
        "knobs": "Right answers after each epoch",
    }
    printed = (
        "Finished Training",
        "GroundTruth: ",
        "on the 2000 test images",
    )

    def test_the_samples_are_six_pictures_of_each_class_with_its_name(self, site: Path) -> None:
        gallery = out(site, self.page, "samples")
        assert gallery is not None
        names = [name.get_text() for name in gallery.select("table.gallery th")]
        pictures = gallery.select("table.gallery img")
        assert len(names) == 10
        assert [picture["alt"] for picture in pictures] == [f"6 pictures: {name}" for name in names]
        assert {(picture["width"], picture["height"], picture["loading"]) for picture in pictures} == {
            ("384", "64", "lazy")
        }
