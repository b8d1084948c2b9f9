"""What a demonstration has seen: all that its report and its claims are made of."""

from __future__ import annotations

from msgspec import Struct

from serving.demo.configuration import ASKING_ALL
from serving.demo.outcomes import Journal, Outcome

Weights = dict[str, dict[str, float]]
"""By application and model, summing to 1 over the models."""


class Trained(Struct, frozen=True):
    """A model, and the seconds that its training took."""

    model: str
    runtime: str
    seconds: float


class Kill(Struct, frozen=True):
    """The server's process was killed after so many `questions`; `seconds` until the next one admitted queries.

    It had been `processes`, with all that it had started; `left` of them were alive long after its end.
    """

    questions: int
    processes: int
    left: int
    seconds: float


class Audit(Struct, frozen=True):
    """The log of one application, read when all was over, against what its users were told.

    `missing`, `repeated` and `altered` count acknowledged truths that the log lacks, has more than
    once, or has with another label or answer. `same_state` tells whether folding the whole log gives what the
    server says that its policy knows.
    """

    application: str
    acknowledged: int
    missing: int
    repeated: int
    altered: int
    same_state: bool


class Evidence(Struct, frozen=True):
    """`weights` by stage, at its end; `seconds` by stage, without the time that the server was down.

    `batches` is the mean batch size by model since the restart; `prices` what a query costs, by model, in blocks of the
    gated network, where predictions do not report it.
    """

    best: str
    trained: list[Trained]
    policies: dict[str, str]
    journal: Journal
    weights: dict[str, Weights]
    seconds: dict[str, float]
    batches: dict[str, float]
    kill: Kill
    audits: list[Audit]
    prices: dict[str, float]

    def judged(self, stage: str | None = None) -> list[Outcome]:
        """The outcomes that tell the models' errors: of applications that ask all, whatever the image."""
        return [outcome for outcome in self.journal.of(stage) if outcome.application in ASKING_ALL]
