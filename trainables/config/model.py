"""Which network a trial trains: a backbone and the edits made to it."""

from typing import Annotated, Literal

from pydantic import Field

from trainables.config.section import Section

ResNetKind = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]


class SmallCnn(Section):
    """A plain convolutional network for small pictures; seconds an epoch on one core."""

    kind: Literal["small_cnn"] = "small_cnn"
    width: int = Field(default=24, ge=4)
    """Channels of the first block; the later ones have twice as many."""
    norm: Literal["batch", "group"] = "batch"
    """Normalisation after each convolution; only `group` does not couple the pictures of a batch."""
    cam_stride: Literal[4, 8] = 8
    """Picture pixels a cell of the class activation map spans."""
    head_bias: bool = False
    """Give the linear head a bias."""
    final_norm: bool = True
    """Normalise after the last convolution."""
    final_relu: bool = True
    """Rectify the features that are pooled."""


class ResNet(Section):
    """A torchvision ResNet with the surgery of the literature."""

    kind: ResNetKind
    cam_stride: Literal[4, 8, 16, 32] = 32
    """Picture pixels a cell of the map spans: stride 1 in the last down-sampling stages."""
    head_bias: bool = False
    """Keep the linear head's bias."""
    final_norm: bool = True
    """Keep the norm after the last convolution of the last block."""
    final_relu: bool = True
    """Keep the activation after the last residual sum."""


ModelConfig = Annotated[SmallCnn | ResNet, Field(discriminator="kind")]
