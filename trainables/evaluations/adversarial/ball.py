"""The ball around an image within which an attack may change it, clipped to pixels in [0, 1].

B batch, C channels, H W image, P = C*H*W.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Norm = Literal["linf", "l2"]


@dataclass(frozen=True)
class Ball:
    """Images whose distance from a given one is at most `eps`, in the maximum or the Euclidean norm."""

    norm: Norm
    eps: float

    @property
    def name(self) -> str:
        """As metrics call it."""
        return f"{self.norm}_{self.eps:.4g}"

    def project(self, points_BCHW: Tensor, centres_BCHW: Tensor) -> Tensor:
        """Bring points into the ball by clamping (maximum norm) or scaling (Euclidean), and then into [0, 1].

        The second step leaves no ball whose centre is an image, since it moves no pixel away from the centre's.
        """
        change_BCHW = points_BCHW - centres_BCHW
        if self.norm == "linf":
            change_BCHW = change_BCHW.clamp(-self.eps, self.eps)
        else:
            tiny = torch.finfo(change_BCHW.dtype).tiny
            change_BCHW = change_BCHW * (self.eps / _lengths(change_BCHW).clamp(min=tiny)).clamp(max=1)
        return (centres_BCHW + change_BCHW).clamp(0, 1)

    def random(self, centres_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        """Draw a point uniformly from each image's ball and bring it into [0, 1].

        Images are drawn one after the other, so that the draws do not depend on the size of the batch.
        """
        changes = [self._draw(centre_CHW.shape, generator) for centre_CHW in centres_BCHW]
        return (centres_BCHW + torch.stack(changes).to(centres_BCHW)).clamp(0, 1)

    def ascent(self, gradient_BCHW: Tensor) -> Tensor:
        """Return the direction of length 1 in this norm along which the gradient rises most; 0 where it is 0."""
        if self.norm == "linf":
            return gradient_BCHW.sign()
        # Divided by its largest entry first, since the squares of a small gradient underflow.
        largest_B111 = gradient_BCHW.abs().amax((1, 2, 3), keepdim=True)
        scaled_BCHW = gradient_BCHW / largest_B111.clamp(min=torch.finfo(gradient_BCHW.dtype).tiny)
        return scaled_BCHW / _lengths(scaled_BCHW).clamp(min=1)

    def _draw(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        if self.norm == "linf":
            return (2 * torch.rand(shape, generator=generator) - 1) * self.eps
        direction_CHW = torch.randn(shape, generator=generator)
        radius = self.eps * torch.rand((), generator=generator) ** (1 / shape.numel())
        length: Tensor = torch.linalg.vector_norm(direction_CHW)
        return direction_CHW * (radius / length)


def _lengths(change_BCHW: Tensor) -> Tensor:
    lengths_B111: Tensor = torch.linalg.vector_norm(change_BCHW, dim=(1, 2, 3), keepdim=True)
    return lengths_B111
