"""A network that turns images into embeddings.

B batch, C channels, F features, D dimensions, H W image.
"""

import torch
from torch import Tensor, nn

from trainables.models.classifier import Classifier


class Embedder(nn.Module):
    """Embeds an image by `z = projection(mean_ij A)`, of the features A of a classifier whose head is left alone.

    Pooling and projection run in float32, under autocast too.

    Args:
        classifier: Its head takes no gradient.
        projection: Of use in training only.
    """

    def __init__(self, classifier: Classifier, projection: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier
        self.classifier.head.requires_grad_(False)
        self.projection = projection

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Embed images with values in [0, 1]; return embeddings_BD."""
        features_BFHW: Tensor = self.classifier(images_BCHW).features
        with torch.autocast(features_BFHW.device.type, enabled=False):
            embeddings_BD: Tensor = self.projection(features_BFHW.mean((2, 3), dtype=torch.float32))
        return embeddings_BD


def projection_head(num_features: int, size: int) -> nn.Sequential:
    """Return the projection of Khosla et al. 2020, Linear(F, F)-ReLU-Linear(F, size); the loss makes its length 1."""
    return nn.Sequential(nn.Linear(num_features, num_features), nn.ReLU(), nn.Linear(num_features, size))
