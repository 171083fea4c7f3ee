"""Whether a map lies on the object.

B batch, H W image.
"""

from torch import Tensor

from trainables.evaluations.attribution.maps import is_empty, is_flat
from trainables.evaluations.attribution.quantus_scores import PER_MAP, quantus_scores

OBJECT_THRESHOLD = 0.5


def objects_of(background_BHW: Tensor, has_mask_B: Tensor) -> Tensor:
    """Return where an image with a mask is less than half background, bool BHW; nowhere without a mask."""
    return (background_BHW < OBJECT_THRESHOLD) & has_mask_B.view(-1, 1, 1)


def has_object(object_BHW: Tensor) -> Tensor:
    """Return which images have a pixel of object, bool B."""
    return object_BHW.flatten(1).any(1)


def localisations(map_BHW: Tensor, object_BHW: Tensor) -> Tensor:
    """Return the object's share of the positive values, `sum_object max(a,0) / sum max(a,0)`.

    It is nan where there is no object, and where nothing is positive. Source: Kohlbrenner et al. 2020, eq. 5.
    """
    from quantus import AttributionLocalisation

    positive_BHW = map_BHW.clamp(min=0)
    chosen_B = has_object(object_BHW) & ~is_empty(positive_BHW)
    metric = AttributionLocalisation(abs=True, disable_warnings=True, **PER_MAP)
    return quantus_scores(metric, positive_BHW, chosen_B, object_BHW)


def pointing_hits(map_BHW: Tensor, object_BHW: Tensor) -> Tensor:
    """Return 1 where a pixel of the highest value lies on the object and 0 elsewhere.

    It is nan where there is no object, which Quantus counts as a hit, and of a flat map, which it counts as one too.
    Source: Zhang et al. 2018.
    """
    from quantus import PointingGame

    chosen_B = has_object(object_BHW) & ~is_flat(map_BHW)
    metric = PointingGame(abs=False, normalise=False, disable_warnings=True)
    return quantus_scores(metric, map_BHW, chosen_B, object_BHW)
