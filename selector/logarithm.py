"""The natural logarithm where it is hot."""

from math import log

LN2 = log(2.0)
"""log(x) is written LN2 * log2(x): math.log looks for a second argument, which takes twice as long as the logarithm."""
