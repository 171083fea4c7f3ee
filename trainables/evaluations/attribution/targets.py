"""Which classes a map speaks of.

B batch, K classes.
"""

import torch
from torch import Tensor


def strongest_rivals(logits_BK: Tensor, targets_B: Tensor) -> Tensor:
    """Return the class of the highest logit besides each target's."""
    return logits_BK.scatter(1, targets_B.unsqueeze(1), -torch.inf).argmax(1)


def of_class(tensor_BK: Tensor, classes_B: Tensor) -> Tensor:
    """Pick one class of each image; dimensions after K stay."""
    return tensor_BK[torch.arange(len(classes_B), device=classes_B.device), classes_B]
