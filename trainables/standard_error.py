"""How far an accuracy may be chance: it is the share p of n images that are classified correctly."""

import math


def standard_error(accuracy: float, num: float) -> float:
    """Return half the width of Wilson's interval of one standard deviation (Wilson 1927; Brown et al. 2001, eq. 4):

    `sqrt(p (1 - p) / n + 1 / (4 n^2)) / (1 + 1 / n)`. It is close to `sqrt(p (1 - p) / n)`, but not 0 at p = 0 or 1.
    """
    return math.sqrt(accuracy * (1 - accuracy) / num + 1 / (4 * num**2)) / (1 + 1 / num)
