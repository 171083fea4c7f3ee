"""GroupDRO: the loss of the groups of images, weighted by weights that follow the worst group.

Source: Sagawa et al. 2020, "Distributionally Robust Neural Networks for Group Shifts", algorithm 1, and its code.
B images, G groups.
"""

import torch
from torch import Tensor


def first_log_weights(num_G: Tensor) -> Tensor:
    """Return the logarithms of equal weights of the groups that have images, and -inf of the others.

    Args:
        num_G: How many training images each group has.
    """
    log_weights_G = torch.where(num_G > 0, 0.0, -torch.inf)
    return log_weights_G.log_softmax(0)


def group_sums(losses_B: Tensor, groups_B: Tensor, num_groups: int) -> Tensor:
    """Return the sum of the losses of each group, and the number of its images, of shape 2,G."""
    is_in_GB = groups_B == torch.arange(num_groups, device=groups_B.device).unsqueeze(1)
    return torch.stack([torch.where(is_in_GB, losses_B, 0).sum(1), is_in_GB.sum(1).to(losses_B.dtype)])


def next_log_weights(log_weights_G: Tensor, sums_2G: Tensor, *, step_size: float) -> Tensor:
    """Return the logarithms of `q_g exp(step_size * loss_g)`, which sum to 1 over the groups.

    The loss of a group is the mean over its images of the batch, and 0 where it has none.
    """
    sums_G, num_G = sums_2G
    next_G: Tensor = log_weights_G + step_size * sums_G / num_G.clamp(min=1)
    return next_G.log_softmax(0)


def image_weights(log_weights_G: Tensor, sums_2G: Tensor, groups_B: Tensor) -> Tensor:
    """Return weights of images, of shape B, by which the mean loss of the batch is `sum_g q_g loss_g`.

    Args:
        log_weights_G: The logarithms of q.
        sums_2G: Sums of losses and numbers of images in the whole batch.
        groups_B: The groups of some of its images.
    """
    num_G = sums_2G[1]
    weights_G: Tensor = log_weights_G.exp() * num_G.sum() / num_G.clamp(min=1)
    return weights_G[groups_B]
