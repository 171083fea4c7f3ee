"""What the features could give: a linear head fitted anew to features, and measured on images that it has not seen.

N images, M images of another set, F features, K classes.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from trainables.classifiers import fit_linear_probe
from trainables.data import half_of

PENALTY = 1e-3
"""Weight of half the squared norm of the head's weights, for features whose mean squared distance from their mean is
1."""


class LabelledFeatures(NamedTuple):
    """Pooled features of images, and their classes."""

    features_NF: Tensor
    labels_N: Tensor

    def rows(self, which_M: Tensor) -> "LabelledFeatures":
        return LabelledFeatures(self.features_NF[which_M], self.labels_N[which_M])

    def halves(self, seed: int) -> tuple[Tensor, Tensor]:
        """Return the places of two halves, each with half of the images of each class."""
        is_first_N = torch.from_numpy(half_of(self.labels_N.numpy(), seed=seed))
        return is_first_N.nonzero().squeeze(1), (~is_first_N).nonzero().squeeze(1)


def fitted_to_halves(fitted: LabelledFeatures, measured: LabelledFeatures, num_classes: int, seed: int) -> Tensor:
    """Return for each measured image the share of two heads that classify it correctly, float64 M.

    Each head is fitted to one half of the other images, so that it has as many as one of `fitted_to_other_half`.
    """
    hits = [refitted_hits(fitted.rows(half), measured, num_classes) for half in fitted.halves(seed)]
    return torch.stack(hits).mean(0)


def fitted_to_other_half(images: LabelledFeatures, num_classes: int, seed: int) -> Tensor:
    """Return 1 for each image that a head fitted to the half without it classifies correctly, else 0, float64 N."""
    first, second = images.halves(seed)
    hits_N = torch.zeros(len(images.labels_N), dtype=torch.float64)
    hits_N[second] = refitted_hits(images.rows(first), images.rows(second), num_classes)
    hits_N[first] = refitted_hits(images.rows(second), images.rows(first), num_classes)
    return hits_N


def refitted_hits(fitted: LabelledFeatures, measured: LabelledFeatures, num_classes: int) -> Tensor:
    """Return 1 for each measured image that a head fitted to other images classifies correctly, else 0, float64 M.

    The head is multinomial logistic regression. Features are moved and scaled by one number, which a linear layer with
    a bias can undo.
    """
    mean_F = fitted.features_NF.mean(0)
    length = (fitted.features_NF - mean_F).square().sum(1).mean().sqrt()
    scale = torch.where(length > 0, length, 1)
    probe = fit_linear_probe(
        (fitted.features_NF - mean_F) / scale, fitted.labels_N, num_classes=num_classes, penalty=PENALTY, bias=True
    )
    logits_MK = functional.linear((measured.features_NF - mean_F) / scale, probe.weight_KF, probe.bias_K)
    return (logits_MK.argmax(1) == measured.labels_N).double()
