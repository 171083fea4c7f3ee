"""The margin of one class over another by channel, as a mean over the images of the first.

N images, M those of a class, K classes, F channels.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.evaluations.channels.contributions import contributions


@dataclass(frozen=True, slots=True, eq=False)
class ClassPair:
    """A class and a rival, and the means over the images of the class."""

    label: int
    rival: int
    indices_M: Tensor
    """The images of the class."""
    num_rival: int
    """Of these, how many have the rival as the class with the highest other logit."""
    contribution_F: Tensor
    object_F: Tensor
    """The part on the object, of the images with a mask alone, so that both parts may not sum to the contribution of
    all images; nan where none has one."""
    background_F: Tensor
    """The part on the background, likewise."""


def class_pairs(
    features_NF: Tensor, background_NF: Tensor, weight_KF: Tensor, labels_N: Tensor, rivals_N: Tensor
) -> Iterator[ClassPair]:
    """Yield the pairs of a label and a rival that some image has, those of most images first.

    `mean_n D_f = (W_cf - W_rf) mean_n mean_ij A_f`: the mean over the images of a class serves all its rivals.
    """
    of_class = {label: (labels_N == label).nonzero().squeeze(1) for label in set(labels_N.tolist())}
    means = {label: _means(features_NF[own_M], background_NF[own_M]) for label, own_M in of_class.items()}
    found = Counter(zip(labels_N.tolist(), rivals_N.tolist(), strict=True))
    for (label, rival), num_rival in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        parts_3F = contributions(means[label], weight_KF, torch.tensor([label]), torch.tensor([rival]))
        yield ClassPair(label, rival, of_class[label], num_rival, *parts_3F)


def _means(features_MF: Tensor, background_MF: Tensor) -> Tensor:
    """Return the means over images of all cells, of those on the object, and of those on the background, 3,F."""
    return torch.stack([features_MF.mean(0), (features_MF - background_MF).nanmean(0), background_MF.nanmean(0)])
