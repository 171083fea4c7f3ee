"""What every network returns, in train and in eval mode alike.

B batch, K classes, F features, H W map.
"""

from typing import NamedTuple

from torch import Tensor


class Output(NamedTuple):
    """Logits, and the very features that are pooled into them."""

    logits: Tensor
    """`s_k = W_k . mean_ij A + b_k`, shape B,K."""
    features: Tensor
    """`A`, shape B,F,H,W: after the last residual sum, norm and activation."""
