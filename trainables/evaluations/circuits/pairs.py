"""Pairs of images that differ in the background alone, or in the object alone.

An image of class y has a partner of another class r. Corrupt is the same object before the partner's background, or
the partner's object before the same background. Either way the margin is `s_y - s_r`.
P pairs, B batch, K classes, C channels, H W image.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from trainables.data.backgrounds import blend, has_background, tiled_backgrounds
from trainables.evaluations.base import EvaluationContext
from trainables.evaluations.lenders import candidates
from trainables.evaluations.masked_sample import MaskedSample
from trainables.evaluations.result import NotPossibleError

Kind = Literal["background", "object"]
"""What differs between clean and corrupt."""
KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_PAIRS = 48
"""In both halves together."""
MIN_PAIRS = 2
"""In each half."""


class PairBatch(NamedTuple):
    """Pairs on the network's device."""

    clean_BCHW: Tensor
    corrupt_BCHW: Tensor
    labels_B: Tensor
    rivals_B: Tensor
    """The partners' classes."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs on the CPU, in the order of their classes."""

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


class Halves(NamedTuple):
    """Pairs of disjoint images: circuits are found on one half and verified on the other."""

    found: Pairs
    verified: Pairs
    num_without_background: int
    """Images whose object leaves no strip of background to lend."""


def make_halves(context: EvaluationContext, sample: MaskedSample) -> Halves:
    """Pair the images of a sample, at most 48, within two halves that have the classes in equal shares.

    Raises:
        NotPossibleError: A half has less than two pairs.
    """
    usable = has_background(sample.object_NHW).nonzero().flatten()
    order = torch.randperm(len(usable), generator=context.generator("circuits halves"))
    chosen = usable[order[:MAX_PAIRS]]
    chosen = chosen[sample.labels_N[chosen].argsort(stable=True)]
    found, verified = (_pair(context, sample, half) for half in (chosen[::2], chosen[1::2]))
    if min(len(found), len(verified)) < MIN_PAIRS:
        raise NotPossibleError(
            f"the {len(sample)} sampled images with an object make {len(found)} and {len(verified)} pairs of two "
            f"classes with a background to exchange; both halves need {MIN_PAIRS} or more"
        )
    return Halves(found, verified, num_without_background=len(sample) - len(usable))


def _pair(context: EvaluationContext, sample: MaskedSample, half: Tensor) -> Pairs:
    """Pair each image with one of another class of the same half; without another class there is no pair."""
    by_class: dict[int, list[int]] = defaultdict(list)
    for index in half.tolist():
        by_class[int(sample.labels_N[index])].append(index)
    partner_of: dict[int, int] = {}
    for index in half.tolist():
        label, generator = int(sample.labels_N[index]), context.generator(f"circuits partner {sample.ids[index]}")
        lenders = candidates("rand", label, index, by_class, generator)
        partner = next((other for other in lenders if int(sample.labels_N[other]) != label), None)
        if partner is not None:
            partner_of[index] = partner
    own, other = (torch.tensor(list(indices), dtype=torch.int64) for indices in (partner_of, partner_of.values()))
    return _pairs_of(sample, own, other)


def _pairs_of(sample: MaskedSample, own_P: Tensor, other_P: Tensor) -> Pairs:
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
