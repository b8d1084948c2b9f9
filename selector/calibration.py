"""Probabilities that mean what they say, learned online from what came true."""

from __future__ import annotations

from math import exp, log2

from msgspec import Struct

from selector.logarithm import LN2

_LEAST, _MOST = 1e-4, 1.0 - 1e-6
_FLATTEST, _STEEPEST = 0.2, 5.0  # the map stays strictly increasing
_FLAT = 1e-3
_KEEP = 1.0 - 1.0 / 3000.0  # old labels fade
_STEADY = 10.0  # curvature of the slope that is never lost: where claims hardly vary no label may decide it


class Calibration(Struct, array_like=True):
    """Platt scaling, P(right) = 1 / (1 + exp(-(slope * log odds + offset))), beginning at the identity.

    Online Newton steps whose curvature forgets with a horizon of 3,000 labels, so that it follows drift. The
    identity begins with that of some 80 labels of the least certain kind.

    Platt: Probabilistic outputs for support vector machines (1999).
    """

    slope: float = 1.0
    offset: float = 0.0
    curvature: tuple[float, float, float] = (20.0, 0.0, 20.0)

    def __call__(self, probability: float) -> float:
        """The calibrated probability: increasing, in (0, 1)."""
        return _logistic(self.slope * _log_odds(probability) + self.offset)

    def add(self, probability: float, right: bool) -> None:
        """What was claimed and whether it came true, in place."""
        x = _log_odds(probability)
        p = _logistic(self.slope * x + self.offset)
        residual, v = right - p, p * (1.0 - p)
        if v < _FLAT:
            v = _FLAT
        a, b, d = self.curvature
        a, b, d = _KEEP * a + v * x * x, _KEEP * b + v * x, _KEEP * d + v
        self.curvature = (a, b, d)
        slope = self.slope + residual * (d * x - b) / max(a * d - b * b, _STEADY * d)
        slope = _FLATTEST if slope < _FLATTEST else _STEEPEST if slope > _STEEPEST else slope
        self.offset += (residual - b * (slope - self.slope)) / d  # the best for the slope taken, cut or not
        self.slope = slope


def _log_odds(probability: float) -> float:
    if probability < _LEAST:
        probability = _LEAST
    elif probability > _MOST:
        probability = _MOST
    return LN2 * log2(probability / (1.0 - probability))


def _logistic(log_odds: float) -> float:
    if log_odds < -30.0:
        log_odds = -30.0
    return 1.0 / (1.0 + exp(-log_odds))
