"""The configuration of the demonstration: five models in four frameworks, and three applications over them."""

from __future__ import annotations

import json
from pathlib import Path

APPLICATIONS = {"digits-exp3": "exp3", "digits-exp4": "exp4", "digits-vote": "majority_vote"}
"""The policy of each application."""

SLO_MS = 50
"""The latency objective of all three, for two busy cores."""

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

[applications.digits-exp3]              # asks one model, drawn by its weight
models = {models}
input = {{ datatype = "FP32", shape = [784] }}
classes = {classes}
policy = {{ name = "exp3", learning_rate = 0.1 }}
slo_ms = {slo_ms}
default_output = -1

[applications.digits-exp4]              # asks all, weighs their votes by what they got right
models = {models}
input = {{ datatype = "FP32", shape = [784] }}
classes = {classes}
policy = {{ name = "exp4", learning_rate = 0.2 }}
slo_ms = {slo_ms}
default_output = -1
target_error = 0.2

[applications.digits-vote]              # asks all, every vote counts the same; says -1 unless four of five agree
models = {models}
input = {{ datatype = "FP32", shape = [784] }}
classes = {classes}
policy = "majority_vote"
slo_ms = {slo_ms}
default_output = -1
target_error = 0.2
when_unsure = "default"
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
    )
    file.write_text(text, encoding="utf-8")
    return file
