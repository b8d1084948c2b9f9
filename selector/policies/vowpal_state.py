"""Vowpal Wabbit's state as a value: model bytes at the last multiple of N feedbacks, and the examples learned since.

A workspace that goes on learning does not encode to the same bytes as one that was saved and loaded on the
way. So at each multiple a fresh workspace loads the bytes, learns the examples and saves: a pure function, equal on
every replica. The live workspace that predicts is only a cache of that value and is never saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from msgspec import Struct

from selector.policies.tally import Tally

if TYPE_CHECKING:
    from vowpalwabbit import Workspace


class Learned(Struct, array_like=True):
    """What is encoded. `model` is empty before the first multiple; `since` is at most N feedbacks long."""

    tally: Tally
    model: bytes = b""
    since: list[str] = []
    feedbacks: int = 0


@dataclass
class VowpalState:
    """What has been learned, and the workspace that knows it, once somebody asked for it."""

    learned: Learned
    _live: Workspace | None = field(default=None, compare=False, repr=False)

    def live(self, arguments: Sequence[str]) -> Workspace:
        """A workspace for predictions."""
        if self._live is None:
            self._live = _open(self.learned.model, arguments)
            _learn(self._live, self.learned.since)
        return self._live

    def learn(self, examples: Sequence[str], arguments: Sequence[str], every: int) -> None:
        """One feedback's examples, in place; at each multiple of `every` they become part of the model's bytes.

        Raises OSError if there is no place for the file between two workspaces; then nothing has changed.
        """
        learned = self.learned
        if (learned.feedbacks + 1) % every == 0:
            learned.model = _folded(learned.model, [*learned.since, *examples], arguments)
            learned.since, self._live = [], None
        else:
            learned.since.extend(examples)
            if self._live is not None:
                _learn(self._live, examples)
        learned.feedbacks += 1


def _open(model: bytes, arguments: Sequence[str]) -> Workspace:
    from vowpalwabbit import Workspace  # only who uses the policy waits for it

    if not model:
        return Workspace(arg_list=["--quiet", *arguments])
    with TemporaryDirectory(prefix="windjammer-") as folder:
        path = Path(folder, "model")
        path.write_bytes(model)
        return Workspace(arg_list=["--quiet", "--initial_regressor", str(path)])


def _folded(model: bytes, examples: Sequence[str], arguments: Sequence[str]) -> bytes:
    workspace = _open(model, arguments)
    _learn(workspace, examples)
    with TemporaryDirectory(prefix="windjammer-") as folder:
        path = Path(folder, "model")
        workspace.save(str(path))
        return path.read_bytes()


def _learn(workspace: Workspace, examples: Sequence[str]) -> None:
    for example in examples:
        workspace.learn(example)
