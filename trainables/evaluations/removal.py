"""How often a network still names the class when the object is gone: it then knew it from the background.

Source: Moayeri et al. 2022, "Hard ImageNet", section 4. One box covers all objects of an image.
B batch, C channels, H W image.
"""

from dataclasses import replace

import torch
from torch import Tensor

from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.cutouts import blend, box_masks, can_be_tiled, tiled_background
from trainables.evaluations.masked_sample import accuracies, masked_sample
from trainables.evaluations.result import EvaluationResult

GREY = 0.5


def _run(context: EvaluationContext) -> EvaluationResult:
    sample = masked_sample(context)
    images_NCHW, object_NHW, everything = sample.images_NCHW, sample.object_NHW, sample.indices
    tileable = everything[torch.tensor([can_be_tiled(object_HW) for object_HW in object_NHW])]

    def grey_object(indices_B: Tensor) -> Tensor:
        return blend(images_NCHW[indices_B], GREY, object_NHW[indices_B])

    def grey_box(indices_B: Tensor) -> Tensor:
        return blend(images_NCHW[indices_B], GREY, box_masks(object_NHW[indices_B]))

    def tiled(indices_B: Tensor) -> Tensor:
        return torch.stack([tiled_background(images_NCHW[index], object_NHW[index]) for index in indices_B])

    result = accuracies(
        context,
        sample,
        {
            "background/object_grey": (grey_object, everything),
            "background/object_box_grey": (grey_box, everything),
            "background/object_tiled": (tiled, tileable),
        },
    )
    num_not_tiled = len(everything) - len(tileable)
    return replace(result, settings={**result.settings, "grey": GREY, "num_not_tiled": num_not_tiled})


REMOVAL = EvalSpec(
    name="removal",
    category="background",
    directions={
        "background/object_grey": "min",
        "background/object_box_grey": "min",
        "background/object_tiled": "min",
    },
    run=_run,
    needs=frozenset({"masks"}),
)
