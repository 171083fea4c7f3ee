"""The class that an image's class is compared with, its rival, and the margin over it.

B batch, K classes.
"""

import torch
from torch import Tensor

from trainables.evaluations.result import NotPossibleError
from trainables.models import Classifier


def check_rival(model: Classifier) -> None:
    """Raise NotPossibleError where a network has one class."""
    if model.num_classes < 2:
        raise NotPossibleError("a network with one class has no rival to contrast it with")


def strongest_rivals(logits_BK: Tensor, targets_B: Tensor) -> Tensor:
    """Return the class of the highest logit other than each target's."""
    return logits_BK.scatter(1, targets_B.unsqueeze(1), -torch.inf).argmax(1)


def margins(logits_BK: Tensor, classes_B: Tensor, rivals_B: Tensor) -> Tensor:
    """Return `s_c - s_r`, B, in float64."""
    own_B, rival_B = (
        logits_BK.double().gather(1, which_B.unsqueeze(1)).squeeze(1) for which_B in (classes_B, rivals_B)
    )
    return own_B - rival_B
