"""Placeholder data in the layout of the real data: striped images for CIFAR-10, random weights for resnet18.

With it every page builds and every snippet runs without a network. What a network learns from it says nothing about
photographs.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CIFAR10_NOTE = "12,000 generated images, stripes in ten directions, instead of the 60,000 photographs"
RESNET18_NOTE = "random weights instead of the ones trained on ImageNet"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
IMAGES_PER_FILE = 2_000  # CIFAR-10 has 10,000 in each of its six files
SIZE = 32  # pixels
SPREAD = 0.3  # of the direction within a class; 1.0 is the next class: a small network is right for nine in ten


def write_cifar10(folder: Path) -> None:
    """Write images in CIFAR-10's own layout: five training files, a test file, and the names of the classes."""
    for seed, name in enumerate(("test_batch", *(f"data_batch_{number}" for number in range(1, 6)))):
        labels = np.arange(IMAGES_PER_FILE) % len(CLASSES)
        data = images(labels, np.random.default_rng(seed)).reshape(IMAGES_PER_FILE, -1)
        _dump(folder / name, {"batch_label": name, "labels": labels.tolist(), "data": data})
    _dump(folder / "batches.meta", {"label_names": list(CLASSES), "num_vis": 3 * SIZE * SIZE})


def images(labels: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.uint8]:
    """Return an image for each label, (N, 3, 32, 32): the direction of its stripes is that of its class, roughly."""
    angles = np.pi / len(CLASSES) * (labels + random.normal(0, SPREAD, len(labels)))
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    across = np.multiply.outer(np.cos(angles), columns) + np.multiply.outer(np.sin(angles), rows)
    stripes = np.sin(across / 2 + random.uniform(0, 2 * np.pi, (len(labels), 1, 1)))
    contrast = random.integers(20, 80, (len(labels), 3, 1, 1))  # of each color
    grain = random.integers(-30, 30, (len(labels), 3, SIZE, SIZE), dtype=np.int8)
    pixels: NDArray[np.float64] = 128 + contrast * stripes[:, np.newaxis] + grain
    return pixels.clip(0, 255).astype(np.uint8)


def write_resnet18(path: Path) -> None:
    """Write a checkpoint of an untrained resnet18, the same one each time."""
    import torch
    from torchvision.models import resnet18

    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(resnet18(weights=None).state_dict(), path)


def _dump(path: Path, content: object) -> None:
    path.write_bytes(pickle.dumps(content))
