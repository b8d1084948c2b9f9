from __future__ import annotations

import numpy as np

from serving.demo.digits import CLASSES, Digits, load_digits, question, redrawn


def test_the_real_digits_are_split_into_two_parts_that_share_no_image() -> None:
    train, held_out = load_digits(seed=1)

    assert (len(train.images), len(held_out.images)) == (2_000, 3_000)
    assert set(np.unique(train.labels)) == set(np.unique(held_out.labels)) == set(CLASSES)
    assert 0 <= train.images.min() < train.images.max() == 1
    assert not {image.tobytes() for image in train.images} & {image.tobytes() for image in held_out.images}


def test_no_question_repeats_another(few_digits: Digits) -> None:
    pixels = {question(few_digits, seed=1, index=index).pixels.tobytes() for index in range(500)}

    assert len(pixels) == 500


def test_the_same_seed_asks_the_same_questions_and_another_asks_others(few_digits: Digits) -> None:
    first, same, other = (question(few_digits, seed, index=3) for seed in (1, 1, 2))

    assert np.array_equal(first.pixels, same.pixels)
    assert not np.array_equal(first.pixels, other.pixels)


def test_a_question_looks_like_the_image_it_comes_from(few_digits: Digits) -> None:
    bar = np.zeros((28, 28), dtype=np.float32)
    bar[4:24, 12:16] = 1
    digits = Digits(bar.reshape(1, 784), np.array([1]))

    asked = question(digits, seed=1, index=0)

    assert asked.label == 1
    assert asked.pixels.min() >= 0
    assert asked.pixels.max() <= 1
    assert np.corrcoef(asked.pixels, digits.images[0])[0, 1] > 0.8


def test_pixels_have_three_decimals_so_that_bodies_stay_short(few_digits: Digits) -> None:
    assert max(len(str(pixel)) for pixel in question(few_digits, seed=1, index=0).pixels.tolist()) <= 5


def test_redrawn_images_keep_their_labels(few_digits: Digits) -> None:
    twice = redrawn(few_digits, times=2, seed=1)

    assert twice.images.shape == (40, 784)
    assert twice.images.dtype == np.float32
    assert np.array_equal(twice.labels, np.concatenate([few_digits.labels] * 2))
    assert not np.array_equal(twice.images[:20], twice.images[20:])
