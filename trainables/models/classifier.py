"""A network whose logits are a linear function of mean-pooled features.

B batch, C channels, K classes, F features, H W image or map.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.models.architecture import Stages
from trainables.models.backbone import IMAGENET_MEAN, IMAGENET_STD
from trainables.models.output import Output


class Classifier(nn.Module):
    """Normalise, extract features, pool, and classify by `s_k = W_k . mean_ij A + b_k`.

    Nothing stands between the features and the pooling, so HiResCAM is faithful:
    `s_k = sum_ij HiResCAM_k,ij + b_k` (Draelos & Carin 2020). The pooling and the head run in the
    head's own dtype, under autocast too, so that a half-precision trunk does not blur the logits.

    Args:
        trunk: Maps normalised images B,3,H,W to features B,F,H,W.
        head: Its `weight_KF` is all that the maps need.
        mean: Of each colour, taken from the images.
        std: Of each colour, by which the rest is divided.
        stages: The trunk's parts from the input to the output.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        trunk: nn.Module,
        head: nn.Linear,
        *,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        stages: Stages = (),
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head
        self.stages = stages
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    @property
    def num_classes(self) -> int:
        return self.head.out_features

    def forward(self, images_BCHW: Tensor) -> Output:
        """Classify images with values in [0, 1]."""
        features_BFHW: Tensor = self.trunk((images_BCHW - self.mean) / self.std)
        return Output(self.classify(features_BFHW), features_BFHW)

    def classify(self, features_BFHW: Tensor) -> Tensor:
        """Pool and classify features, changed ones too; return logits_BK."""
        with torch.autocast(features_BFHW.device.type, enabled=False):
            pooled_BF = features_BFHW.mean((2, 3), dtype=self.head.weight.dtype)
            logits_BK: Tensor = self.head(pooled_BF)
        return logits_BK
