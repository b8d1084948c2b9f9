"""Is a model failing? Signals with labels and without, and the states that follow from them."""

from selector.health.monitor import Monitor
from selector.health.standing import Standing, quarantined

__all__ = ["Monitor", "Standing", "quarantined"]
