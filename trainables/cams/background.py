"""From a mask of the picture to one of the map.

B batch, H W picture or map.
"""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def reduce_background(background_BHW: Tensor, size: Sequence[int]) -> Tensor:
    """Return each cell's share of background: the mean over the pixels it covers.

    A cell i of n covers the pixels from `floor(i*H/n)` to `ceil((i+1)*H/n)`, so neighbouring cells share a row of
    pixels where H is no multiple of n.

    Args:
        background_BHW: Background at picture resolution, in [0, 1].
        size: Height and width of the map.
    """
    height, width = size
    return functional.adaptive_avg_pool2d(background_BHW, (height, width))
