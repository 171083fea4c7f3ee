"""What is done to a batch of training images beyond crop and flip: new backgrounds, and then CutMix that knows masks.

Random numbers come from torch's global generators, which the loop seeds: backgrounds from the one of the batch's
device, boxes from the CPU's, so that nothing waits for an accelerator.

B batch, C channels, H W image.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from trainables.config import ClassificationConfig
from trainables.data import Batch
from trainables.data.box import Box
from trainables.training.new_backgrounds import build_new_backgrounds


class MixedBatch(NamedTuple):
    """Images with one of the labels that each of them carries."""

    batch: Batch
    """Its background is all that shows no object of that label."""
    share_B: Tensor
    """How much the label counts; it sums to 1 over the mixed batches, which share their images."""


Mixing = Callable[[Batch], list[MixedBatch]]


def build_mixing(objective: ClassificationConfig) -> Mixing:
    """Return what turns a batch into the mixed batches to train on; with nothing to change, the batch alone."""
    with_new_backgrounds, cutmix = build_new_backgrounds(objective), objective.cutmix

    def mix(batch: Batch) -> list[MixedBatch]:
        changed = with_new_backgrounds(batch)
        if cutmix is None or torch.rand(()) >= cutmix.probability:
            return unmixed(changed)
        return paste(changed, draw_box(*batch.images_BCHW.shape[2:], alpha=cutmix.alpha))

    return mix


def unmixed(batch: Batch) -> list[MixedBatch]:
    """Return a batch of which every image carries its own label alone."""
    return [MixedBatch(batch, torch.ones(len(batch), device=batch.images_BCHW.device))]


def draw_box(height: int, width: int, *, alpha: float) -> Box:
    """Draw a box whose share of the image is Beta(alpha, alpha), around a uniform centre, cut off at the edges.

    Source: CutMix, Yun et al. 2019, eq. 2.
    """
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    top, bottom = _draw_side(height, share**0.5)
    left, right = _draw_side(width, share**0.5)
    return Box(top, bottom, left, right)


def _draw_side(length: int, share: float) -> tuple[int, int]:
    centre = int(torch.randint(length, ()))
    start = centre - round(share * length) // 2
    return max(0, start), min(length, start + round(share * length))


def paste(batch: Batch, box: Box) -> list[MixedBatch]:
    """Return the batch with the box of the image before it pasted into each image, once for each of the two labels.

    A label counts by how much of its own object shows, `v = object pixels in sight / object pixels`: by
    `v / (v + v')`, with v' of the other. Without a mask the whole image is the object, so that two such images count
    by area, as in CutMix. Where neither object would show, nothing is pasted. The other image's object is background,
    unless it is of the same class. An image without a mask, or in which no object shows, has no background.
    """
    assert batch.targets_BK is None, "an image to mix has one label"
    inside_HW = torch.zeros_like(batch.background_BHW[0], dtype=torch.bool)
    inside_HW[box.slices] = True
    other = _previous(batch)
    own_B, other_B = _in_sight(batch.background_BHW, ~inside_HW), _in_sight(other.background_BHW, inside_HW)
    is_mixed_B = own_B + other_B > 0
    share_B = torch.where(is_mixed_B, own_B / torch.where(is_mixed_B, own_B + other_B, 1), 1)
    inside_BHW = inside_HW & is_mixed_B.view(-1, 1, 1)
    images_BCHW = torch.where(inside_BHW.unsqueeze(1), other.images_BCHW, batch.images_BCHW)
    is_same_B11 = (batch.labels_B == other.labels_B).view(-1, 1, 1)
    return [
        MixedBatch(_mixed(batch, other, images_BCHW, ~inside_BHW, is_same_B11), share_B),
        MixedBatch(_mixed(other, batch, images_BCHW, inside_BHW, is_same_B11), 1 - share_B),
    ]


def _mixed(own: Batch, other: Batch, images_BCHW: Tensor, is_own_BHW: Tensor, is_same_B11: Tensor) -> Batch:
    others_BHW = torch.where(is_same_B11, other.background_BHW, 1)
    background_BHW = torch.where(is_own_BHW, own.background_BHW, others_BHW)
    has_mask_B = own.has_mask_B & (background_BHW.amin((1, 2)) < 1)
    background_BHW = torch.where(has_mask_B.view(-1, 1, 1), background_BHW, 0)
    return replace(own, images_BCHW=images_BCHW, background_BHW=background_BHW, has_mask_B=has_mask_B)


def _previous(batch: Batch) -> Batch:
    return Batch(
        images_BCHW=batch.images_BCHW.roll(1, 0),
        labels_B=batch.labels_B.roll(1),
        background_BHW=batch.background_BHW.roll(1, 0),
        has_mask_B=batch.has_mask_B.roll(1),
        ids=(*batch.ids[-1:], *batch.ids[:-1]),
        weights_B=None if batch.weights_B is None else batch.weights_B.roll(1),
    )


def _in_sight(background_BHW: Tensor, shows_HW: Tensor) -> Tensor:
    """Return the share of each image's object that shows."""
    object_BHW = 1 - background_BHW
    visible_B = (object_BHW * shows_HW).sum((1, 2))
    return visible_B / object_BHW.sum((1, 2)).clamp(min=torch.finfo(visible_B.dtype).tiny)


def join_terms(terms_of_each: Sequence[Mapping[str, Tensor]], mixed: Sequence[MixedBatch]) -> dict[str, Tensor]:
    """Return each term, of shape B, as the mean over the mixed batches by their shares."""
    weighted = [
        {name: each.share_B * term_B for name, term_B in terms.items()}
        for each, terms in zip(mixed, terms_of_each, strict=True)
    ]
    return {name: torch.stack([terms[name] for terms in weighted]).sum(0) for name in weighted[0]}


def main_labels(mixed: Sequence[MixedBatch]) -> Tensor:
    """Return the label that counts most in each image, of shape B."""
    most_B = torch.stack([each.share_B for each in mixed]).argmax(0)
    return torch.stack([each.batch.labels_B for each in mixed]).gather(0, most_B.unsqueeze(0)).squeeze(0)
