"""Placeholders for machines that reach neither CIFAR-10 nor the weights of resnet18: same shapes, drawn on the spot.

They let every page build and every snippet run. What a network learns from them says nothing about photographs.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_NOTE = "12,000 drawings of the ten things, made on the spot, in place of the 60,000 photographs"
RESNET18_NOTE = "random weights, made on the spot, in place of the ones trained on ImageNet"
TRAIN = 2_000  # drawings in each of the five training files; CIFAR-10 has 10,000 photographs there
TEST = 2_000
SIZE = 32  # pixels
SCALE = 3  # drawings are made larger, then reduced, for smooth edges

Color = tuple[int, int, int]
Draw = ImageDraw.ImageDraw


class Pen:
    """Draws on a square of 100 by 100 units that is placed, sized and mirrored at random in the picture."""

    def __init__(self, draw: Draw, chance: random.Random) -> None:
        """Choose the place."""
        self._draw = draw
        edge = SIZE * SCALE
        self._size = edge * chance.uniform(0.7, 0.95)
        self._left = chance.uniform(0, edge - self._size)
        self._top = chance.uniform(0, edge - self._size)
        self._mirrored = chance.random() < 0.5

    def _at(self, x: float, y: float) -> tuple[float, float]:
        x = 100 - x if self._mirrored else x
        return self._left + x * self._size / 100, self._top + y * self._size / 100

    def shape(self, color: Color, *points: tuple[float, float]) -> None:
        """Fill a polygon."""
        self._draw.polygon([self._at(*point) for point in points], fill=color)

    def box(self, color: Color, x0: float, y0: float, x1: float, y1: float) -> None:
        """Fill a rectangle."""
        self.shape(color, (x0, y0), (x1, y0), (x1, y1), (x0, y1))

    def oval(self, color: Color, x0: float, y0: float, x1: float, y1: float) -> None:
        """Fill an ellipse."""
        (ax, ay), (bx, by) = self._at(x0, y0), self._at(x1, y1)
        self._draw.ellipse((min(ax, bx), ay, max(ax, bx), by), fill=color)


def airplane(pen: Pen, color: Color) -> None:
    pen.oval(color, 5, 42, 95, 58)
    pen.shape(color, (45, 50), (70, 50), (35, 90), (25, 90))
    pen.shape(color, (50, 48), (65, 48), (40, 18), (32, 18))
    pen.shape(color, (5, 48), (20, 48), (10, 25), (2, 25))


def automobile(pen: Pen, color: Color) -> None:
    pen.box(color, 5, 48, 95, 72)
    pen.shape(color, (22, 48), (34, 28), (68, 28), (82, 48))
    pen.shape((190, 215, 235), (30, 46), (37, 33), (64, 33), (74, 46))
    pen.oval((25, 25, 25), 14, 60, 36, 82)
    pen.oval((25, 25, 25), 64, 60, 86, 82)


def bird(pen: Pen, color: Color) -> None:
    pen.oval(color, 25, 40, 75, 72)
    pen.oval(color, 62, 24, 86, 48)
    pen.shape((235, 160, 40), (84, 34), (98, 38), (84, 42))
    pen.shape(color, (30, 52), (4, 40), (8, 66))
    pen.box((120, 80, 40), 48, 70, 51, 92)


def cat(pen: Pen, color: Color) -> None:
    pen.oval(color, 22, 28, 78, 82)
    pen.shape(color, (24, 46), (26, 8), (48, 32))
    pen.shape(color, (76, 46), (74, 8), (52, 32))
    pen.oval((120, 200, 90), 34, 46, 45, 57)
    pen.oval((120, 200, 90), 55, 46, 66, 57)
    pen.shape((220, 120, 130), (46, 62), (54, 62), (50, 68))


def deer(pen: Pen, color: Color) -> None:
    _four_legs(pen, color, back=44)
    pen.shape(color, (68, 46), (80, 22), (90, 28), (82, 52))
    for x in (76, 84):
        pen.shape((90, 60, 30), (x, 24), (x - 8, 2), (x - 4, 2), (x + 3, 22))
        pen.shape((90, 60, 30), (x - 3, 14), (x + 9, 4), (x + 10, 8), (x, 18))


def dog(pen: Pen, color: Color) -> None:
    pen.oval(color, 24, 18, 76, 78)
    dark = (color[0] // 2, color[1] // 2, color[2] // 2)
    pen.oval(dark, 12, 20, 34, 66)
    pen.oval(dark, 66, 20, 88, 66)
    pen.oval((240, 230, 215), 36, 50, 64, 84)
    pen.oval((20, 20, 20), 44, 54, 56, 64)


def frog(pen: Pen, color: Color) -> None:
    green = (40 + color[0] // 5, 130 + color[1] // 4, 40)
    pen.oval(green, 12, 40, 88, 86)
    pen.oval(green, 20, 22, 46, 52)
    pen.oval(green, 54, 22, 80, 52)
    pen.oval((245, 245, 220), 27, 28, 39, 42)
    pen.oval((245, 245, 220), 61, 28, 73, 42)
    pen.box((30, 70, 20), 28, 64, 72, 67)


def horse(pen: Pen, color: Color) -> None:
    _four_legs(pen, color, back=40)
    pen.shape(color, (64, 46), (74, 12), (96, 28), (92, 36), (82, 34), (82, 54))
    pen.shape((40, 25, 15), (62, 44), (72, 8), (77, 14), (68, 46))
    pen.shape((40, 25, 15), (16, 42), (4, 70), (12, 72), (20, 50))


def ship(pen: Pen, color: Color) -> None:
    pen.shape(color, (4, 58), (96, 58), (82, 80), (18, 80))
    pen.box((235, 235, 235), 28, 40, 70, 58)
    pen.box((200, 60, 50), 42, 18, 54, 40)
    pen.box((40, 90, 150), 0, 78, 100, 100)


def truck(pen: Pen, color: Color) -> None:
    pen.box(color, 4, 18, 66, 68)
    pen.box((220, 220, 225), 68, 36, 94, 68)
    pen.box((150, 190, 220), 76, 40, 92, 52)
    for x in (10, 34, 72):
        pen.oval((25, 25, 25), x, 60, x + 20, 80)


def _four_legs(pen: Pen, color: Color, back: float) -> None:
    pen.oval(color, 14, back, 82, back + 26)
    for x in (20, 32, 62, 74):
        pen.box(color, x, back + 16, x + 6, 94)


THINGS: tuple[Callable[[Pen, Color], None], ...] = (
    airplane,
    automobile,
    bird,
    cat,
    deer,
    dog,
    frog,
    horse,
    ship,
    truck,
)
SKY, ROAD, FIELD, SEA = (165, 205, 240), (150, 150, 155), (125, 165, 95), (120, 170, 205)
GROUNDS: tuple[Color, ...] = (SKY, ROAD, SKY, ROAD, FIELD, FIELD, FIELD, FIELD, SEA, ROAD)


def picture(label: int, chance: random.Random) -> Image.Image:
    """Draw one of the ten things, 32 by 32 pixels: color, ground, place and size vary."""

    def vary(color: Color, by: int) -> Color:
        red, green, blue = (min(max(part + chance.randint(-by, by), 0), 255) for part in color)
        return red, green, blue

    any_ground = chance.choice(GROUNDS) if chance.random() < 0.4 else GROUNDS[label]
    image = Image.new("RGB", (SIZE * SCALE, SIZE * SCALE), vary(any_ground, 35))
    color = vary((130, 110, 95), 110)
    THINGS[label](Pen(ImageDraw.Draw(image), chance), color)
    grain = Image.frombytes("L", (SIZE, SIZE), chance.randbytes(SIZE * SIZE)).convert("RGB")
    return Image.blend(image.reduce(SCALE), grain, 0.12)


def write_cifar10(folder: Path) -> None:
    """Write drawings in CIFAR-10's own layout: five training files, a test file, and the names of the classes."""
    import numpy as np

    def write(name: str, count: int, seed: int) -> None:
        chance = random.Random(seed)
        labels = [chance.randrange(10) for _ in range(count)]
        pixels = [np.asarray(picture(label, chance)).transpose(2, 0, 1).reshape(-1) for label in labels]
        content = {"batch_label": name, "labels": labels, "data": np.stack(pixels)}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))

    for number in range(1, 6):
        write(f"data_batch_{number}", TRAIN, seed=number)
    write("test_batch", TEST, seed=0)
    meta = {"num_cases_per_batch": TRAIN, "label_names": list(CLASSES), "num_vis": 3 * SIZE * SIZE}
    (folder / "batches.meta").write_bytes(pickle.dumps(meta, protocol=2))


def write_resnet18(path: Path) -> None:
    """Write a checkpoint of resnet18 as it is before any training, the same one each time."""
    import torch
    from torchvision.models import resnet18

    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(resnet18(weights=None).state_dict(), path)
