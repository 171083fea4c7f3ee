"""Maps that say nothing, of which a library's figure would be an accident.

B batch, H W map.
"""

from torch import Tensor

EMPTY = 1e-7
"""The sum of absolute values below which a map counts as empty."""
FLAT = 1e-6
"""The span of values, as a share of the largest absolute one, below which a map counts as flat."""


def is_empty(map_BHW: Tensor) -> Tensor:
    """Return which maps are zero all over, bool B."""
    return map_BHW.abs().sum((1, 2)) < EMPTY


def is_flat(map_BHW: Tensor) -> Tensor:
    """Return which maps are empty or have one value all over, and so prefer no pixel, bool B.

    Interpolation leaves rounding errors in such a map, which are no preference.
    """
    span_B = map_BHW.amax((1, 2)) - map_BHW.amin((1, 2))
    return is_empty(map_BHW) | (span_B <= FLAT * map_BHW.abs().amax((1, 2)))
