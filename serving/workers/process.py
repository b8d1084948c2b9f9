"""Inside a worker: `python -P -m serving.workers.process`, started by the supervisor."""

from __future__ import annotations

import logging
import socket
import sys
from pathlib import Path

from serving import runtimes
from serving.workers.connections import Connections
from serving.workers.inference import Inference, explain
from serving.workers.lifeline import Lifeline, die_with
from serving.workers.settings import READY, WorkerSettings, WorkerStart

logger = logging.getLogger(__name__)


def main() -> None:
    """Load the model, warm it up, listen; end with the parent, or with 1 if the model cannot be loaded."""
    lifeline = Lifeline()
    start = lifeline.settings(WorkerStart)
    die_with(start.parent)
    worker = start.worker
    logging.basicConfig(format=f"%(asctime)s %(levelname)s {worker.name} %(message)s", level=start.log_level)
    sys.path.append(worker.folder)  # at the end: a user's own `serving` must not hide ours
    try:
        inference = _load(worker)
    except Exception as error:
        logger.exception("%s cannot be loaded", worker.model)
        lifeline.tell(explain(error))
        sys.exit(1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(start.socket)
        listener.listen()
        lifeline.tell(READY)
        logger.info("ready")
        Connections(listener, lifeline, inference.answer).serve()


def _load(worker: WorkerSettings) -> Inference:
    runtime = runtimes.load(
        worker.runtime, worker.artifact, worker.device, worker.classes, worker.options, Path(worker.model_root)
    )
    inference = Inference(worker.model, runtime)
    if worker.input is not None:
        inference.warm_up(*worker.input)
    return inference


if __name__ == "__main__":
    main()
