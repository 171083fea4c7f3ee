"""How often a network still names the class when the object is gone: it then knew it from the background.

Sources: Moayeri et al. 2022, "Hard ImageNet", section 4, and the Only-BG-T of Xiao et al. 2021, "Noise or Signal".
N samples, B batch, C channels, H W image.
"""

from dataclasses import replace

import torch
from torch import Tensor

from trainables.data.backgrounds import blend, has_background, tiled_backgrounds
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.cutouts import box_masks, can_tile_components, tiled_components
from trainables.evaluations.masked_sample import accuracies, masked_sample
from trainables.evaluations.result import EvaluationResult

GREY = 0.5


def _run(context: EvaluationContext) -> EvaluationResult:
    sample = masked_sample(context)
    images_NCHW, object_NHW, everything = sample.images_NCHW, sample.object_NHW, sample.indices
    tileable = everything[has_background(object_NHW)]
    by_component = everything[torch.tensor([can_tile_components(object_HW) for object_HW in object_NHW])]

    def grey_object(indices_B: Tensor) -> Tensor:
        return blend(images_NCHW[indices_B], GREY, object_NHW[indices_B])

    def grey_box(indices_B: Tensor) -> Tensor:
        return blend(images_NCHW[indices_B], GREY, box_masks(object_NHW[indices_B]))

    def tiled(indices_B: Tensor) -> Tensor:
        return tiled_backgrounds(images_NCHW[indices_B], object_NHW[indices_B])

    def components_tiled(indices_B: Tensor) -> Tensor:
        return torch.stack([tiled_components(images_NCHW[index], object_NHW[index]) for index in indices_B])

    result = accuracies(
        context,
        sample,
        {
            "background/object_grey": (grey_object, everything),
            "background/object_box_grey": (grey_box, everything),
            "background/object_tiled": (tiled, tileable),
            "background/object_components_tiled": (components_tiled, by_component),
        },
    )
    counts = {
        "num_not_tiled": len(everything) - len(tileable),
        "num_components_not_tiled": len(everything) - len(by_component),
    }
    return replace(result, settings={**result.settings, "grey": GREY, **counts})


REMOVAL = EvalSpec(
    name="removal",
    category="background",
    directions={
        "background/object_grey": "min",
        "background/object_box_grey": "min",
        "background/object_tiled": "min",
        "background/object_components_tiled": "min",
    },
    run=_run,
    needs=frozenset({"masks"}),
    definition=2,  # 1 had masks that were not aligned, and one tiling.
)
