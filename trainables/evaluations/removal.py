"""How often a network still names the class when the object is gone: it then knew it from the background.

Sources: Moayeri et al. 2022, "Hard ImageNet", section 4, and the Only-BG-T of Xiao et al. 2021, "Noise or Signal".
N samples, B batch, C channels, H W image.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.cutouts import (
    blend,
    box_masks,
    can_be_tiled,
    can_tile_components,
    tiled_background,
    tiled_components,
)
from trainables.evaluations.masked_sample import Change, MaskedSample, accuracies, masked_sample
from trainables.evaluations.result import EvaluationResult

Tiling = Callable[[Tensor, Tensor], Tensor]
"""From an image CHW and its object HW to the image without the object."""
GREY = 0.5


def _run(context: EvaluationContext) -> EvaluationResult:
    sample = masked_sample(context)
    images_NCHW, object_NHW, everything = sample.images_NCHW, sample.object_NHW, sample.indices
    tileable = _where(sample, lambda index: can_be_tiled(object_NHW[index]))
    by_component = _where(sample, lambda index: can_tile_components(object_NHW[index]))

    def grey_object(indices_B: Tensor) -> Tensor:
        return blend(images_NCHW[indices_B], GREY, object_NHW[indices_B])

    def grey_box(indices_B: Tensor) -> Tensor:
        return blend(images_NCHW[indices_B], GREY, box_masks(object_NHW[indices_B]))

    def tiled(tile: Tiling) -> Change:
        return lambda indices_B: torch.stack([tile(images_NCHW[index], object_NHW[index]) for index in indices_B])

    result = accuracies(
        context,
        sample,
        {
            "background/object_grey": (grey_object, everything),
            "background/object_box_grey": (grey_box, everything),
            "background/object_tiled": (tiled(tiled_background), tileable),
            "background/object_components_tiled": (tiled(tiled_components), by_component),
        },
    )
    counts = {
        "num_not_tiled": len(everything) - len(tileable),
        "num_components_not_tiled": len(everything) - len(by_component),
    }
    return replace(result, settings={**result.settings, "grey": GREY, **counts})


def _where(sample: MaskedSample, holds: Callable[[int], bool]) -> Tensor:
    return torch.tensor([index for index in range(len(sample)) if holds(index)], dtype=torch.int64)


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
