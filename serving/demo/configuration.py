"""The configuration of the demonstration: six models in four frameworks, and six applications over them."""

from __future__ import annotations

import json
from pathlib import Path

APPLICATIONS = {
    "digits-vote": "majority_vote",
    "digits-exp3": "exp3",
    "digits-exp4": "exp4",
    "digits-thompson": "thompson",
    "digits-ensemble": "ensemble",
    "digits-cascade": "cascade",
}
"""The policy of each application."""

ASKING_ALL = ("digits-vote", "digits-exp4", "digits-ensemble")
"""The applications that ask every model about every image: by their answers models are compared."""

CASCADE = ("logistic", "gated", "cnn")
"""The models of the cascade."""

BLOCKS = 6
"""Of the gated network."""

SUCCESSORS = {"exp3": "thompson", "exp4": "ensemble"}
"""For policies as they were published, what is recommended today for the same job: ask one model, or all."""

TARGET_ERROR = 0.05
"""Of the ensemble's sure answers."""

SLO_MS = 50
"""The latency objective of all six, for two busy cores."""

TEMPLATE = """\
# Written by `windjammer demo`. To serve it again: windjammer serve {file}
# Costs are in blocks of the gated network: 125,000 multiplications each.

[models.logistic]                       # any Python class: see serving/demo/logistic.py
cost = 0.06
runtime = "python"
artifact = "serving.demo.logistic:Logistic"
options = {{ weights = {weights} }}
classes = {classes}

[models.vowpal]
cost = 0.06
runtime = "vowpal"
artifact = "vowpal.vw"
classes = {classes}

[models.forest]
cost = 0.01
runtime = "sklearn"
artifact = "forest.joblib"

[models.svm]
cost = 0.7
runtime = "sklearn"
artifact = "svm.joblib"

[models.cnn]
cost = 10.0
runtime = "torch"
artifact = "cnn.pt"
options = {{ factory = "serving.demo.network:Network" }}
classes = {classes}

[models.gated]                          # skips what an image does not need, and reports the blocks that it took
runtime = "torch"
artifact = "gated.pt"
options = {{ factory = "serving.demo.gated:gated_network" }}
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

[applications.digits-cascade]           # asks the cheap ones first, and dearer ones only about what is worth their cost
models = {cascade}
input = {{ datatype = "FP32", shape = [784] }}
classes = {classes}
policy = "cascade"
slo_ms = {slo_ms}
default_output = -1
"""


def write_configuration(folder: Path) -> Path:
    """Write windjammer.toml into `folder`, beside `models/`; its path."""
    file = folder / "windjammer.toml"
    models = ["cnn", "forest", "gated", "logistic", "svm", "vowpal"]
    text = TEMPLATE.format(
        file=file,
        weights=json.dumps(str(folder / "models" / "logistic.npz")),
        classes=list(range(10)),
        models=json.dumps(models),
        cascade=json.dumps(CASCADE),
        slo_ms=SLO_MS,
        target_error=TARGET_ERROR,
    )
    file.write_text(text, encoding="utf-8")
    return file
