"""Pairs of images that differ in the background alone, or in the object alone.

An image of class y has a partner of another class r. Corrupt is the same object before the partner's background, or
the partner's object before the same background. Either way the margin is `s_y - s_r`.
P pairs, Q = P/2 couples, B batch, C channels, H W image.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from trainables.data.backgrounds import blend, has_background, tiled_backgrounds
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.masked_sample import MaskedSample
from trainables.evaluations.result import NotPossibleError, by_image

Kind = Literal["background", "object"]
"""What differs between clean and corrupt."""
KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_PAIRS = 48
"""In both halves together."""
MIN_PAIRS = 4
"""In each half: two couples are the fewest that differ."""


class PairBatch(NamedTuple):
    """Pairs on the network's device."""

    clean_BCHW: Tensor
    corrupt_BCHW: Tensor
    labels_B: Tensor
    rivals_B: Tensor
    """The partners' classes."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs on the CPU. Two images are each other's partners, so each image is in two pairs and no others.

    The second half of the pairs is the first half with image and partner exchanged, in the same order.
    """

    ids: tuple[str, ...]
    partners: tuple[str, ...]
    labels_P: Tensor
    rivals_P: Tensor
    clean_PCHW: Tensor
    corrupt: Mapping[Kind, Tensor]

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, kind: Kind, rows_B: Tensor, device: torch.device) -> PairBatch:
        """Return some of the pairs on the device."""
        tensors = (self.clean_PCHW, self.corrupt[kind], self.labels_P, self.rivals_P)
        return PairBatch(*(tensor[rows_B].to(device) for tensor in tensors))


def by_couple(pairs: Pairs, values_P: Tensor) -> dict[str, float]:
    """Return the mean of each couple by the first of its images, so that no two values have an image in common."""
    return by_image(pairs.ids[: len(pairs) // 2], values_P.view(2, -1).mean(0))


class Halves(NamedTuple):
    """Pairs of disjoint images: circuits are found on one half and verified on the other."""

    found: Pairs
    verified: Pairs
    num_without_background: int
    """Images whose object leaves no strip of background to lend."""


def make_halves(context: EvaluationContext, sample: MaskedSample) -> Halves:
    """Couple images of a sample, at most 48, and deal the couples by their classes to two halves in turn.

    Raises:
        NotPossibleError: A half has less than four pairs, or images have several labels.
    """
    if context.data.several_labels:
        raise NotPossibleError("images have several labels, so an image may show its partner's class too")
    usable = has_background(sample.object_NHW).nonzero().flatten()
    generator = context.generator("circuits halves")
    # More images than are kept, since some of a frequent class may find no partner.
    drawn = usable[torch.randperm(len(usable), generator=generator)[: 2 * MAX_PAIRS]]
    drawn = drawn[sample.labels_N[drawn].argsort(stable=True)]
    couples_2Q = drawn[couples(sample.labels_N[drawn], generator)]
    kept_Q = torch.randperm(couples_2Q.shape[1], generator=generator)[: MAX_PAIRS // 2].sort().values
    found, verified = (_pairs_of(sample, couples_2Q[:, half]) for half in (kept_Q[::2], kept_Q[1::2]))
    if min(len(found), len(verified)) < MIN_PAIRS:
        raise NotPossibleError(
            f"the {len(sample)} sampled images with an object make {len(found)} and {len(verified)} pairs of two "
            f"classes with a background to exchange; both halves need {MIN_PAIRS} or more"
        )
    return Halves(found, verified, num_without_background=len(sample) - len(usable))


def couples(labels_N: Tensor, generator: torch.Generator) -> Tensor:
    """Couple images of two classes at random, as many as possible: their places among the labels, 2 x Q.

    Each couple takes an image of the class that has most of those left, so that none stays alone without need.
    """
    labels, found = labels_N.tolist(), []
    left = torch.randperm(len(labels), generator=generator).tolist()
    while len(counts := Counter(labels[place] for place in left)) > 1:
        ((most, _),) = counts.most_common(1)
        one = next(place for place in left if labels[place] == most)
        other = next(place for place in left if labels[place] != most)
        found.append(sorted((one, other)))
        left = [place for place in left if place not in (one, other)]
    return torch.tensor(sorted(found), dtype=torch.int64).view(-1, 2).T


def _pairs_of(sample: MaskedSample, couples_2Q: Tensor) -> Pairs:
    own_P, other_P = couples_2Q.flatten(), couples_2Q.flip(0).flatten()
    images_NCHW, object_NHW = sample.images_NCHW, sample.object_NHW
    backgrounds_PCHW, lent_PCHW = (
        tiled_backgrounds(images_NCHW[which], object_NHW[which]) for which in (own_P, other_P)
    )
    return Pairs(
        ids=tuple(sample.ids[index] for index in own_P),
        partners=tuple(sample.ids[index] for index in other_P),
        labels_P=sample.labels_N[own_P],
        rivals_P=sample.labels_N[other_P],
        clean_PCHW=images_NCHW[own_P],
        corrupt={
            "background": blend(lent_PCHW, images_NCHW[own_P], object_NHW[own_P]),
            "object": blend(backgrounds_PCHW, images_NCHW[other_P], object_NHW[other_P]),
        },
    )
