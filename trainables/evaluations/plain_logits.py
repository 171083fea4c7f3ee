"""The network as libraries for attribution and attacks expect it: a module from images to logits.

B batch, C channels, K classes, H W image.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainables.models import Classifier


class PlainLogits(nn.Module):
    """Returns a network's logits alone, in float32; its layers are the network's own."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model
        self.train(model.training)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return logits_BK of images in [0, 1]."""
        logits_BK: Tensor = self.model(images_BCHW).logits
        return logits_BK.float()


@contextmanager
def frozen(model: Classifier) -> Iterator[None]:
    """Let weights gather no gradient and convolutions be deterministic, and put both back afterwards.

    Gradients in images and features then cost no more than they must.
    """
    assert not model.training, "a network is explained in eval mode"
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    deterministic = torch.backends.cudnn.deterministic
    try:
        torch.backends.cudnn.deterministic = True
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        torch.backends.cudnn.deterministic = deterministic
        for parameter in learning:
            parameter.requires_grad_(True)
