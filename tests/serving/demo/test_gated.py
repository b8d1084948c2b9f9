from __future__ import annotations

from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from serving import runtimes
from serving.demo.digits import CLASSES, Digits, load_digits
from serving.demo.gated import gated_network, train_gated
from serving.workers.rows import read_row


def test_the_gated_network_is_served_with_the_blocks_that_each_image_took(tmp_path: Path) -> None:
    train, held_out = load_digits(seed=1)
    with threadpool_limits(1):
        train_gated(Digits(train.images[:1000], train.labels[:1000]), tmp_path / "gated.pt", seed=1)
    options = {"factory": f"{gated_network.__module__}:{gated_network.__name__}"}
    model = runtimes.load("torch", "gated.pt", "cpu", CLASSES, options, tmp_path)

    rows = [read_row(row, model.classes) for row in model.predict_batch(held_out.images[:500])]

    right = [row.output == label for row, label in zip(rows, held_out.labels, strict=False)]
    assert np.mean(right) > 0.7
    assert {row.cost for row in rows} <= {float(blocks) for blocks in range(7)}
    assert np.mean([row.cost or 0 for row in rows]) > 0
