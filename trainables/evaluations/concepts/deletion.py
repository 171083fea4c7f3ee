"""What is left of the predictions as concepts are deleted from the features, one after the other.

Deleting concept j from an image subtracts its importance from the logits, exactly; what the concepts do not
reconstruct stays. N images, J concepts, K classes, L = J + 1 numbers of deleted concepts.
"""

import torch
from torch import Tensor


def deletion_curve(logits_NK: Tensor, amounts_NJ: Tensor, head_JK: Tensor, order_NJ: Tensor) -> Tensor:
    """Return whether each image is still predicted as by the whole network after 0 to J deletions, bool NL.

    Args:
        logits_NK: Those of the whole network.
        amounts_NJ: Mean activation of an image's cells.
        head_JK: What one unit of each concept adds to each logit.
        order_NJ: The concepts of each image, the first to be deleted first.
    """
    predicted_N = logits_NK.argmax(1)
    left_NJ = amounts_NJ.clone()
    kept = [torch.ones_like(predicted_N, dtype=torch.bool)]
    for concepts_N in order_NJ.T:
        left_NJ.scatter_(1, concepts_N.unsqueeze(1), 0)
        kept.append((logits_NK - (amounts_NJ - left_NJ) @ head_JK).argmax(1) == predicted_N)
    return torch.stack(kept, 1)


def area_under(kept_NL: Tensor) -> Tensor:
    """Return the area under each image's curve over the share of deleted concepts, in [0, 1], N."""
    return torch.trapezoid(kept_NL.double(), dx=1 / (kept_NL.shape[1] - 1), dim=1)


def random_orders(like_NJ: Tensor, generator: torch.Generator) -> Tensor:
    """Return a random order of the concepts for each image, of the shape of another NJ."""
    return torch.rand(like_NJ.shape, generator=generator).argsort(1)
