"""The sum that the cells of a map must have, and the gap to it.

B batch, K classes, C channels, H W image or map.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from trainables.config.suite import MapName
from trainables.evaluations.attribution.maps import BLACK, of_class
from trainables.evaluations.rivals import strongest_rivals
from trainables.models import Classifier

Baseline = Callable[[Classifier, torch.Size], Tensor]
"""From a network and an image's C,H,W to the logits_K for which no cell accounts."""

Total = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From logits_BK less their baseline, targets_B and rivals_B to the sum that each image's map must have."""


def completeness_gaps(name: MapName, model: Classifier, logits_BK: Tensor, map_BHW: Tensor, size: torch.Size) -> Tensor:
    """Return the gap between the sum of each predicted class's map and the sum that it must have, in float64.

    Args:
        name: One of COMPLETE.
        map_BHW: Maps on their own grid, since interpolation does not keep sums.
        size: An image's C,H,W.
    """
    baseline, total = COMPLETE[name]
    with torch.no_grad():
        baseline_K = baseline(model, size).to(logits_BK.device, torch.float64)
    targets_B = logits_BK.argmax(1)
    total_B = total(logits_BK - baseline_K, targets_B, strongest_rivals(logits_BK, targets_B))
    return (total_B - map_BHW.double().sum((1, 2))).abs()


def _bias(model: Classifier, _size: torch.Size) -> Tensor:
    return model.head.weight.new_zeros(model.num_classes) if model.head.bias is None else model.head.bias


def _logits_of_black(model: Classifier, size: torch.Size) -> Tensor:
    logits_1K: Tensor = model(model.mean.new_full((1, *size), BLACK)).logits
    return logits_1K[0]


def _of_target(scores_BK: Tensor, targets_B: Tensor, _rivals_B: Tensor) -> Tensor:
    return of_class(scores_BK, targets_B)


def _above_rival(scores_BK: Tensor, targets_B: Tensor, rivals_B: Tensor) -> Tensor:
    return of_class(scores_BK, targets_B) - of_class(scores_BK, rivals_B)


def _above_mean(scores_BK: Tensor, targets_B: Tensor, _rivals_B: Tensor) -> Tensor:
    return of_class(scores_BK, targets_B) - scores_BK.mean(1)


COMPLETE: dict[MapName, tuple[Baseline, Total]] = {
    "hirescam": (_bias, _of_target),
    "contrastive": (_bias, _above_rival),
    "class_reconstructed": (_bias, _above_mean),
    "integrated_gradients": (_logits_of_black, _of_target),
}
"""Grad-CAM, which clips negative values, and Eigen-CAM, which knows no class, have no fixed sum."""
