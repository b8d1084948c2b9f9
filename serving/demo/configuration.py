"""The configuration of the demonstration: five models in four frameworks, and five applications over them."""

from __future__ import annotations

import json
from pathlib import Path

APPLICATIONS = {
    "digits-vote": "majority_vote",
    "digits-exp3": "exp3",
    "digits-exp4": "exp4",
    "digits-thompson": "thompson",
    "digits-ensemble": "ensemble",
}
"""The policy of each application."""

SUCCESSORS = {"exp3": "thompson", "exp4": "ensemble"}
"""For policies as they were published, what is recommended today for the same job: ask one model, or all."""

TARGET_ERROR = 0.05
"""Of the ensemble's sure answers."""

SLO_MS = 50
"""The latency objective of all five, for two busy cores."""

TEMPLATE = """\
# Written by `windjammer demo`. To serve it again: windjammer serve {file}

[models.logistic]                       # any Python class: see serving/demo/logistic.py
runtime = "python"
artifact = "serving.demo.logistic:Logistic"
options = {{ weights = {weights} }}
classes = {classes}

[models.vowpal]
runtime = "vowpal"
artifact = "vowpal.vw"
classes = {classes}

[models.forest]
runtime = "sklearn"
artifact = "forest.joblib"

[models.svm]
runtime = "sklearn"
artifact = "svm.joblib"

[models.cnn]
runtime = "torch"
artifact = "cnn.pt"
options = {{ factory = "serving.demo.network:Network" }}
classes = {classes}

[applications.digits-vote]              # asks all, every vote counts the same
models = {models}
input = {{ datatype = "FP32", shape = [784] }}
classes = {classes}
policy = "majority_vote"
quarantine = false
slo_ms = {slo_ms}
default_output = -1

[applications.digits-exp3]              # asks one model, drawn by its weight; as published: it never forgives
models = {models}
input = {{ datatype = "FP32", shape = [784] }}
classes = {classes}
policy = {{ name = "exp3", learning_rate = 0.1, share = 0.0 }}
quarantine = false
slo_ms = {slo_ms}
default_output = -1

[applications.digits-exp4]              # asks all, weighs their votes by what they got right; as published
models = {models}
input = {{ datatype = "FP32", shape = [784] }}
classes = {classes}
policy = {{ name = "exp4", learning_rate = 0.2, share = 0.0 }}
quarantine = false
slo_ms = {slo_ms}
default_output = -1

[applications.digits-thompson]          # asks one model, as often as it is likely to be the best
models = {models}
input = {{ datatype = "FP32", shape = [784] }}
classes = {classes}
policy = "thompson"
shadow_share = 0.05
slo_ms = {slo_ms}
default_output = -1

[applications.digits-ensemble]          # asks all, and learns what their answers together mean, and how sure that is
models = {models}
input = {{ datatype = "FP32", shape = [784] }}
classes = {classes}
policy = "ensemble"
slo_ms = {slo_ms}
default_output = -1
target_error = {target_error}
"""


def write_configuration(folder: Path) -> Path:
    """Write windjammer.toml into `folder`, beside `models/`; its path."""
    file = folder / "windjammer.toml"
    models = ["cnn", "forest", "logistic", "svm", "vowpal"]
    text = TEMPLATE.format(
        file=file,
        weights=json.dumps(str(folder / "models" / "logistic.npz")),
        classes=list(range(10)),
        models=json.dumps(models),
        slo_ms=SLO_MS,
        target_error=TARGET_ERROR,
    )
    file.write_text(text, encoding="utf-8")
    return file
