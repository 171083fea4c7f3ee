"""Quantus' metrics of maps alone, one value a map.

B batch, H W image.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from trainables.evaluations.attribution.maps import is_empty

NUM_WITNESSES = 2

PER_MAP = {"normalise": True, "normalise_func_kwargs": {"normalise_axes": (1, 2, 3)}}
"""Divide each map by its largest absolute value; Quantus' default is the largest of the whole batch."""


def quantus_scores(
    metric: Callable[..., Any], map_BHW: Tensor, chosen_B: Tensor, object_BHW: Tensor | None = None
) -> Tensor:
    """Return the metric of each chosen map and nan of the others, float64 B.

    Args:
        metric: A metric of Quantus that uses no network.
        object_BHW: Where the object is, bool, for metrics of localisation.
    """
    scores_B = torch.full((len(map_BHW),), torch.nan, dtype=torch.float64)
    if chosen_B.any():
        maps = with_witnesses(map_BHW[chosen_B].double()).unsqueeze(1).numpy()
        objects = None if object_BHW is None else with_witnesses(object_BHW[chosen_B].double()).unsqueeze(1).numpy()
        values = metric(
            model=None,
            x_batch=maps,
            y_batch=torch.zeros(len(maps), dtype=torch.int64).numpy(),
            a_batch=maps.copy(),
            s_batch=objects,
            channel_first=True,
            batch_size=len(maps),
        )
        scores_B[chosen_B] = torch.tensor([float(value) for value in values[:-NUM_WITNESSES]], dtype=torch.float64)
    return scores_B


def with_witnesses(map_BHW: Tensor) -> Tensor:
    """Append maps of zeros with a one, whose values the caller drops.

    Quantus refuses a batch in which all maps together are zero, equal or negative, and AttributionLocalisation takes
    the size of an image from the third of the batch on.
    """
    witness_HW = torch.zeros_like(map_BHW[0])
    witness_HW[0, 0] = 1
    return torch.cat([map_BHW, witness_HW.expand(NUM_WITNESSES, -1, -1)])


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
