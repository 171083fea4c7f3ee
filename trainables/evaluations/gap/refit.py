"""What the features could give: linear heads fitted anew to features, and measured on images they have not seen.

N images, M images of another set, F features, K classes.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from trainables.classifiers import fit_linear_probe
from trainables.data import half_of
from trainables.evaluations.seeds import generator

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

    def counts(self, num_classes: int) -> Tensor:
        """Return how many images each class has, K."""
        return torch.bincount(self.labels_N, minlength=num_classes)

    def of_each_class(self, nums_K: Tensor, order_N: Tensor) -> "LabelledFeatures":
        """Return that many images of each class, the first ones of an order of the places."""
        labels_N = self.labels_N[order_N]
        return self.rows(torch.cat([order_N[labels_N == label][:num] for label, num in enumerate(nums_K.tolist())]))


@dataclass(frozen=True, eq=False)
class Refit:
    """Which images heads classify correctly that were fitted to other images, float64 N: 1 or 0."""

    on_train_N: Tensor
    """By heads fitted to training images."""
    on_split_N: Tensor
    """By heads fitted to the half of the split without the image."""
    images_per_class: float
    """Those that a head is fitted to, as a mean over heads and classes."""


def refit(train: LabelledFeatures, split: LabelledFeatures, num_classes: int, seed: int) -> Refit | None:
    """Fit two heads for each half of the split, and measure both on the other half; None where one has no image.

    One head is fitted to the half, the other to training images, as many of each class. Where the half or the
    training sample has fewer images of a class, both heads have as few. The mix of classes of the other half then
    helps neither.
    """
    halves = split.halves(seed)
    order_N = torch.randperm(len(train.labels_N), generator=generator(seed, "gap refit"))
    on_train_N, on_split_N = (torch.zeros(len(split.labels_N), dtype=torch.float64) for _ in range(2))
    num_fitted = 0
    # The second half draws from the other end, so that its head has other training images where there are enough.
    for half, rest, order in zip(halves, halves[::-1], (order_N, order_N.flip(0)), strict=True):
        own, measured = split.rows(half), split.rows(rest)
        nums_K = torch.minimum(own.counts(num_classes), train.counts(num_classes))
        if not nums_K.any():
            return None
        own = own.of_each_class(nums_K, torch.arange(len(half)))
        on_split_N[rest] = refitted_hits(own, measured, num_classes)
        on_train_N[rest] = refitted_hits(train.of_each_class(nums_K, order), measured, num_classes)
        num_fitted += int(nums_K.sum())
    return Refit(on_train_N, on_split_N, num_fitted / 2 / num_classes)


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
