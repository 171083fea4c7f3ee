"""Other backgrounds for the objects of a batch of training images: noise, one colour, or that of another image.

Random numbers come from torch's global generator of the batch's device. A batch's background maps stay as they are, as
do images without a mask, which are object all over.
B batch, C channels, H W image.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from trainables.config import BackgroundSwap, ClassificationConfig, ObjectOnly
from trainables.data import Batch
from trainables.data.backgrounds import blend, has_background, tiled_backgrounds

FILLS = {"black": 0.0, "grey": 0.5}
"""Grey value by `object_only.fill`."""


def build_new_backgrounds(objective: ClassificationConfig) -> Callable[[Batch], Batch]:
    """Return what gives images new backgrounds: each another image's, one colour or none, and then noise on it."""
    swap, only, sigma = objective.background_swap, objective.object_only, objective.background_noise

    def change(batch: Batch) -> Batch:
        if swap or only:
            batch = _exchange(batch, swap, only)
        return add_background_noise(batch, sigma) if sigma else batch

    return change


def _exchange(batch: Batch, swap: BackgroundSwap | None, only: ObjectOnly | None) -> Batch:
    """One number an image decides, so that no image gets two backgrounds."""
    draw_B = torch.rand(len(batch), device=batch.images_BCHW.device)
    swapped = batch
    if swap:
        lender_B = draw_lenders(batch, of_same_class=swap.backgrounds == "same")
        swapped = swap_backgrounds(batch, lender_B, draw_B < swap.probability)
    return fill_backgrounds(swapped, FILLS[only.fill], draw_B >= 1 - only.probability) if only else swapped


def draw_lenders(batch: Batch, *, of_same_class: bool) -> Tensor:
    """Draw for each image one of the batch, itself included, whose background can be shown; itself without any.

    All of them are equally likely, or all of the same class. So a random lender's class says nothing of the image's.
    """
    may_lend_B = has_background(1 - batch.background_BHW)
    may_lend_BB = may_lend_B.expand(len(batch), -1)
    if of_same_class:
        may_lend_BB = may_lend_BB & (batch.labels_B == batch.labels_B.unsqueeze(1))
    order_BB = torch.rand(len(batch), len(batch), device=batch.images_BCHW.device)
    lender_B = torch.where(may_lend_BB, order_BB, -1).argmax(1)
    return torch.where(may_lend_BB.any(1), lender_B, torch.arange(len(batch), device=lender_B.device))


def swap_backgrounds(batch: Batch, lender_B: Tensor, is_chosen_B: Tensor) -> Batch:
    """Return the batch with the object of each chosen image before its lender's background, at its own place.

    The image is `h * x_own + (1 - h) * t_lender`, where h is the share of object and t the image with its own object
    tiled over. A chosen image whose lender has nothing to show keeps its background.
    Source: the sets Mixed-Rand and Mixed-Same of Xiao et al. 2021, "Noise or Signal".
    """
    object_BHW = 1 - batch.background_BHW
    lent_BCHW = tiled_backgrounds(batch.images_BCHW, object_BHW)[lender_B]
    is_swapped_B = is_chosen_B & has_background(object_BHW)[lender_B]
    # An image that keeps its background shows itself everywhere.
    own_BHW = torch.where(is_swapped_B.view(-1, 1, 1), object_BHW, 1)
    return replace(batch, images_BCHW=torch.lerp(lent_BCHW, batch.images_BCHW, own_BHW.unsqueeze(1)))


def fill_backgrounds(batch: Batch, value: float, is_chosen_B: Tensor) -> Batch:
    """Return the batch with the background of each chosen image of one grey value: `h * x + (1 - h) * value`."""
    images_BCHW = blend(batch.images_BCHW, value, batch.background_BHW)
    is_chosen_B111 = is_chosen_B.view(-1, 1, 1, 1)
    return replace(batch, images_BCHW=torch.where(is_chosen_B111, images_BCHW, batch.images_BCHW))


def add_background_noise(batch: Batch, sigma: float) -> Batch:
    """Return the batch with images `clamp(x + z * (1 - h), 0, 1)`, z ~ N(0, sigma^2) for each pixel and channel.

    `1 - h` is the background, so that an image without a mask stays as it is.
    Source: Core risk minimisation, Singla et al. 2022.
    """
    noise_BCHW = sigma * torch.randn_like(batch.images_BCHW)
    images_BCHW = batch.images_BCHW + noise_BCHW * batch.background_BHW.unsqueeze(1)
    return replace(batch, images_BCHW=images_BCHW.clamp(0, 1))
