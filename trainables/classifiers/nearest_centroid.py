"""The nearest class mean as a linear head.

N embeddings, F features, K classes.
"""

import logging

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

LOWEST = -2.0
"""Bias of a class without an embedding, before the temperature; any other's score is at least -3/2."""


def nearest_centroid(
    embeddings_NF: Tensor, labels_N: Tensor, *, num_classes: int, temperature: float
) -> tuple[Tensor, Tensor]:
    """Return the float64 weight_KF and bias_K whose highest logit is the class of the nearest mean.

    `-|z - mu_k|^2 / 2t = (mu_k . z - |mu_k|^2 / 2) / t - |z|^2 / 2t`, and the last term is the same for all classes:
    `W_k = mu_k / t`, `b_k = -|mu_k|^2 / 2t`. The temperature t shapes the probabilities alone.

    Args:
        embeddings_NF: Of length 1 at most. A class without any is never predicted.
    """
    embeddings_NF = embeddings_NF.double()
    counts_K = torch.bincount(labels_N, minlength=num_classes)
    sums_KF = embeddings_NF.new_zeros(num_classes, embeddings_NF.shape[1])
    for label in range(num_classes):
        sums_KF[label] = embeddings_NF[labels_N == label].sum(0)
    means_KF = sums_KF / counts_K.clamp(min=1).unsqueeze(1)
    bias_K = torch.where(counts_K > 0, -means_KF.square().sum(1) / 2, LOWEST)
    if not counts_K.all():
        logger.warning(
            "%d of %d classes have no image to fit the nearest centroid to and are never predicted; "
            "raise objective.fit_sample, or set it to null",
            int((counts_K == 0).sum()), num_classes,
        )  # fmt: skip
    return means_KF / temperature, bias_K / temperature
