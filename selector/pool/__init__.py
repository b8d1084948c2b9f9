"""A pool of classifiers: which of their labels is right, and how likely, learned from feedback."""

from selector.pool.pool import Pool

__all__ = ["Pool"]
