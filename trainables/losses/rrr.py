"""Right for the right reasons: what a network says of an image is not to change with the background's pixels.

B batch, C channels, K classes, H W image.
"""

from contextlib import AbstractContextManager

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from trainables.losses.checks import check_background, check_shape
from trainables.losses.precision import loss_dtype


def right_reasons(logits_BK: Tensor, images_BCHW: Tensor, background_BHW: Tensor, *, is_binary: bool = False) -> Tensor:
    """Return `sum_ij sum_channels (1-h) * (d(sum_k log p_k) / d(pixel))^2`, of shape B,

    with the background `1-h` of each pixel, so that a pixel half on it counts half, and the softmax `p` of the logits.
    Each class of a binary loss is a softmax of its own, over being there and not: `sum_k log sig(s_k) + log sig(-s_k)`
    takes the place of `sum_k log p_k`. Either sum has its maximum, and no gradient, where the network is undecided.
    Logarithms are taken in float32, or in float64 where the logits are, under autocast too.
    Source: Ross et al. 2017, "Right for the Right Reasons", eq. 2; there a mask is 0 or 1.

    Args:
        logits_BK: What the network made of the images; where it couples them, as batch norm does, an image's pixels
            also count for what they change in the logits of others.
        images_BCHW: Pixels that require a gradient, and of which the logits were computed.
        background_BHW: Share of background in each pixel, in [0, 1].
        is_binary: Whether classes do not exclude each other.

    Raises:
        ValueError: If shapes disagree, a value is out of range or the images require no gradient.
    """
    check_shape("logits", logits_BK, (len(images_BCHW), *logits_BK.shape[1:]))
    check_background(background_BHW, (len(images_BCHW), *images_BCHW.shape[2:]))
    if not images_BCHW.requires_grad:
        raise ValueError("images require no gradient; expected images with requires_grad, set before the network ran")
    with torch.autocast(images_BCHW.device.type, enabled=False):
        certainty_BK = _log_probabilities(logits_BK.to(loss_dtype(logits_BK)), is_binary=is_binary)
        (gradient_BCHW,) = torch.autograd.grad(certainty_BK.sum(), images_BCHW, create_graph=True)
        return (background_BHW.unsqueeze(1) * gradient_BCHW.square()).sum((1, 2, 3))


def differentiable_twice() -> AbstractContextManager[None]:
    """Return a context for forward and backward pass, in which attention has a gradient of its gradient.

    The fused kernels of scaled_dot_product_attention have none (pytorch/pytorch#116350).
    """
    return sdpa_kernel(SDPBackend.MATH)


def _log_probabilities(logits_BK: Tensor, *, is_binary: bool) -> Tensor:
    if is_binary:
        return functional.logsigmoid(logits_BK) + functional.logsigmoid(-logits_BK)
    return logits_BK.log_softmax(1)
