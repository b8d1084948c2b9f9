"""Six models of different strength, each trained in seconds, each saved as its runtime loads it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path

import joblib
import numpy as np
import torch
from msgspec import Struct
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from vowpalwabbit import Workspace

from serving.demo.digits import CLASSES, Digits, Images
from serving.demo.evidence import Trained
from serving.demo.gated import train_gated
from serving.demo.network import Network

VARIANTS = 2
"""Times that each training image is drawn anew."""


class Recipe(Struct, frozen=True):
    """How to make one model. `train(digits, path, seed)` writes the artifact to `path`."""

    name: str
    runtime: str
    file: str
    train: Callable[[Digits, Path, int], None]


def train_forest(digits: Digits, path: Path, seed: int) -> None:
    """A random forest."""
    forest = RandomForestClassifier(30, min_samples_leaf=2, random_state=seed)
    joblib.dump(forest.fit(digits.images, digits.labels), path)


def train_svm(digits: Digits, path: Path, seed: int) -> None:
    """A support vector machine with a radial kernel, on 40 principal components: as exact as on all, quicker."""
    machine = make_pipeline(PCA(40, random_state=seed), SVC(C=5, gamma=0.02))
    joblib.dump(machine.fit(digits.images, digits.labels), path)


def train_logistic(digits: Digits, path: Path, seed: int) -> None:
    """Multinomial logistic regression, for `serving.demo.logistic`."""
    regression = LogisticRegression(C=0.05, max_iter=500, random_state=seed).fit(digits.images, digits.labels)
    np.savez(path, coefficients=regression.coef_.astype(np.float32), intercepts=regression.intercept_)


def train_vowpal(digits: Digits, path: Path, seed: int, passes: int = 6) -> None:
    """Vowpal Wabbit, one against all, several passes in random order. It numbers its classes from 1."""
    workspace = Workspace(f"--quiet --oaa {len(CLASSES)} --loss_function logistic --bit_precision 14")
    lines = [f"{label + 1} {_features(image)}" for image, label in zip(digits.images, digits.labels, strict=True)]
    examples = [workspace.parse(line) for line in lines]
    rng = np.random.default_rng(seed)
    for _ in range(passes):
        for index in rng.permutation(len(examples)):
            workspace.learn(examples[index])
    for example in examples:
        workspace.finish_example(example)
    workspace.save(str(path))
    workspace.finish()


def train_network(digits: Digits, path: Path, seed: int) -> None:
    """The convolutional network; the file that breaks it is called `broken`, beside the artifact."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network(flag=path.with_name("broken"))
        fit(network, torch.from_numpy(digits.images), torch.from_numpy(digits.labels))
    torch.save(network.state_dict(), path)


def fit(network: Network, pixels: Tensor, labels: Tensor, epochs: int = 6, batch: int = 64) -> None:
    """Adam on the cross-entropy, with one cycle of the learning rate."""
    optimizer = torch.optim.AdamW(network.parameters())
    steps = epochs * ceil(len(labels) / batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=steps)
    for _ in range(epochs):
        order = torch.randperm(len(labels))
        for start in range(0, len(labels), batch):
            rows = order[start : start + batch]
            optimizer.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(network(pixels[rows]), labels[rows]))
            optimizer.step()
            schedule.step()


RECIPES = (
    Recipe("logistic", "python", "logistic.npz", train_logistic),
    Recipe("vowpal", "vowpal", "vowpal.vw", train_vowpal),
    Recipe("forest", "sklearn", "forest.joblib", train_forest),
    Recipe("svm", "sklearn", "svm.joblib", train_svm),
    Recipe("cnn", "torch", "cnn.pt", train_network),
    Recipe("gated", "torch", "gated.pt", train_gated),
)
BEST = "cnn"


def train_all(digits: Digits, folder: Path, seed: int) -> Iterator[Trained]:
    """Train every model on `digits` and write its artifact into `folder`; yields each when it is done."""
    for recipe in RECIPES:
        started = time.perf_counter()
        with threadpool_limits(1):  # threads that share a busy core wait for each other longer than they compute
            recipe.train(digits, folder / recipe.file, seed)
        yield Trained(f"{recipe.name}:1", recipe.runtime, time.perf_counter() - started)


def _features(image: Images) -> str:
    """An image as the `vowpal` runtime will write it."""
    return "| " + " ".join(f"{index}:{image[index]:.9g}" for index in np.flatnonzero(image))
