"""`windjammer demo`, but its models learn from few images: for what does not depend on how good they are."""

from __future__ import annotations

from serving.cli import app
from serving.demo import digits

if __name__ == "__main__":
    digits.TRAINING_IMAGES = 200
    app(["demo"])
