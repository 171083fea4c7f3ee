"""How features spread: over directions, and within classes against between them.

N images, F features, K classes, R directions.
"""

import math

import torch
from torch import Tensor

from trainables.evaluations.channels.contributions import effective_number

MIN_IMAGES = 2
"""Of a class, for a variability within it."""


def singular_values(features_NF: Tensor) -> Tensor:
    """Return the singular values of the features about their mean, float64, in descending order."""
    features_NF = features_NF.double()
    values_R: Tensor = torch.linalg.svdvals(features_NF - features_NF.mean(0))
    return values_R


def effective_rank(values_R: Tensor) -> float:
    """Return `exp(-sum_i p_i log p_i)` with `p_i = s_i / sum s` of singular values s; nan where all are 0.

    It is the number of directions where all count alike. Source: Roy & Vetterli 2007, "The effective rank".
    """
    return effective_number(values_R.unsqueeze(0)).item()


def collapse(features_NF: Tensor, labels_N: Tensor) -> float:
    """Return `trace(Sigma_W Sigma_B^+) / K`, the variability within classes against that between them: NC1.

    `Sigma_W` is the mean over classes of a class's covariance, `Sigma_B` the covariance of the K class means about
    their mean. It is 0 where features of a class are all the same. Classes of one image are left out; with less than
    two others, or where all means are the same, it is nan. Source: Papyan, Han & Donoho 2020.
    """
    features_NF = features_NF.double()
    of_class = [features_NF[labels_N == label] for label in sorted(set(labels_N.tolist()))]
    of_class = [own_NF for own_NF in of_class if len(own_NF) >= MIN_IMAGES]
    if len(of_class) < 2:
        return math.nan
    means_KF = torch.stack([own_NF.mean(0) for own_NF in of_class])
    _, values_R, directions_RF = torch.linalg.svd(means_KF - means_KF.mean(0), full_matrices=False)
    kept_R = values_R > values_R[0] * max(means_KF.shape) * torch.finfo(torch.float64).eps
    if not values_R[0]:
        return math.nan
    # Sigma_B = V S^2 V^T / K, so that the trace is a sum over the directions V between the means.
    within_R = torch.stack([((own_NF - own_NF.mean(0)) @ directions_RF.T).square().mean(0) for own_NF in of_class])
    return float((within_R.mean(0)[kept_R] / values_R[kept_R].square()).sum())
