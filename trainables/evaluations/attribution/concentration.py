"""On how few pixels a map lies.

B batch, H W image.
"""

from torch import Tensor

from trainables.evaluations.attribution.degenerate import is_empty
from trainables.evaluations.attribution.quantus_scores import PER_MAP, quantus_scores


def complexities(map_BHW: Tensor) -> Tensor:
    """Return the entropy of `|a| / sum |a|`, from 0 on one pixel to ln(H*W) on all alike; nan of an empty map.

    Source: Bhatt et al. 2020, eq. 4.
    """
    from quantus import Complexity

    return quantus_scores(Complexity(abs=True, disable_warnings=True, **PER_MAP), map_BHW, ~is_empty(map_BHW))


def sparsenesses(map_BHW: Tensor) -> Tensor:
    """Return the Gini index of `|a|`, from 0 on all pixels alike to `1 - 1/(H*W)` on one; nan of an empty map.

    Quantus adds 1e-7 to every pixel of a map whose largest is 1. Source: Chalasani et al. 2020.
    """
    from quantus import Sparseness

    return quantus_scores(Sparseness(abs=True, disable_warnings=True, **PER_MAP), map_BHW, ~is_empty(map_BHW))
