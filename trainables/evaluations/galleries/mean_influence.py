"""Where the influence lies on average, over the images and around their objects.

Each image counts the same, however large its influence.
N samples, G grid of a frame, H W image or map.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from trainables.cams import reduce_background
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.cutouts import bounding_box
from trainables.evaluations.galleries.mean_sheet import Around, draw_means
from trainables.evaluations.galleries.object_frame import SURROUND, align
from trainables.evaluations.galleries.readings import read_sample
from trainables.evaluations.result import EvaluationResult, NotPossibleError

GRID = 32
"""Rows and columns of the frame around the object."""
MIN_REACH = 0.05
"""Share of the images that a cell of the frame must lie in to be shown."""


@dataclass(frozen=True, eq=False)
class Means:
    """Means over images, in float64."""

    share_HW: Tensor
    """Each cell's share of an image's influence; they sum to 1."""
    num_pictures: int
    """Images with any influence, which are those that count."""
    around: Around | None
    """The same and the object, over those with an object; None where there is none."""


def mean_influence(influence_NHW: Tensor, object_NHW: Tensor, has_mask_N: Tensor) -> Means:
    """Return the means of sampled images.

    Args:
        influence_NHW: `sum_k |CC_(c,k)|` of each cell of the map.
        object_NHW: The object's share of each pixel.
        has_mask_N: Whether `object_NHW` is known.

    Raises:
        NotPossibleError: No image has any influence.
    """
    shares_NHW = influence_NHW.double() / influence_NHW.double().sum((1, 2), keepdim=True)
    known_N = shares_NHW.isfinite().flatten(1).all(1)
    if not known_N.any():
        raise NotPossibleError(f"none of the maps of {len(known_N)} images has any influence")
    framed_N = known_N & has_mask_N & (object_NHW > 0).flatten(1).any(1)
    around = _around(shares_NHW[framed_N], object_NHW[framed_N]) if framed_N.any() else None
    return Means(shares_NHW[known_N].mean(0), int(known_N.sum()), around)


def _around(shares_NHW: Tensor, object_NHW: Tensor) -> Around:
    """Align the influence as multiples of an even spread, which do not depend on the size of an object."""
    height, width = object_NHW.shape[-2:]
    multiples_NHW = shares_NHW * shares_NHW[0].numel()
    boxes = [bounding_box(object_HW) for object_HW in object_NHW]
    frame = align(
        [(map_HW, box) for map_HW, box in zip(multiples_NHW, boxes, strict=True) if box], (height, width), GRID
    )
    return Around(
        object_HW=reduce_background(object_NHW, shares_NHW.shape[-2:]).double().mean(0),
        frame=frame,
        num_pictures=len(shares_NHW),
        min_reach=MIN_REACH,
    )


def _run(context: EvaluationContext) -> EvaluationResult:
    batch = context.sampled
    means = mean_influence(read_sample(context).influence_NHW, 1 - batch.background_BHW, batch.has_mask_B)
    settings: dict[str, Any] = {
        "seed": context.settings.seed,
        "num_pictures": means.num_pictures,
        "num_without_influence": len(batch) - means.num_pictures,
        "num_with_object": means.around.num_pictures if means.around else 0,
        "map_size": list(means.share_HW.shape),
    }
    if means.around:
        settings |= {"frame_grid": GRID, "frame_surround": SURROUND, "frame_min_reach": MIN_REACH}
    sheet = draw_means(means.share_HW, means.num_pictures, means.around)
    return EvaluationResult({}, images={"mean_influence": sheet}, settings=settings, documents={"grids": _grids(means)})


def _grids(means: Means) -> dict[str, list[list[float]]]:
    """Return the influence as multiples of an even spread, row by row: over the images, and around the object."""
    influence = {"influence": (means.share_HW * means.share_HW.numel()).tolist()}
    return influence | ({"around": means.around.influence().tolist()} if means.around else {})


MEAN_INFLUENCE = EvalSpec(
    name="mean_influence",
    category="images",
    directions={},
    run=_run,
    definition=2,  # 1 had masks that were not aligned with their images.
)
