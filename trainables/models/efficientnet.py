"""torchvision's EfficientNetV2s without their head."""

from torch import nn

from trainables.models.architecture import Architecture
from trainables.models.surgery import replace, without_children


def strip_head(network: nn.Module, *, final_norm: bool, final_relu: bool) -> tuple[nn.Sequential, list[str]]:
    """Leave pooling, dropout and linear layer out; the last convolution may go without norm and activation.

    Dropout between the pooling and the head would take features from the logits that the maps still hold.
    """
    trunk = without_children(network, {"avgpool", "classifier"})
    *_, (position, _) = trunk.get_submodule("features").named_children()
    last = f"features.{position}"
    edits = ["classifier.0: no dropout"]
    if not final_norm:
        replace(trunk, f"{last}.1", nn.Identity())
        edits.append(f"{last}: no norm after the convolution")
    if not final_relu:
        replace(trunk, f"{last}.2", nn.Identity())
        edits.append(f"{last}: no activation")
    return trunk, edits


EFFICIENTNET_V2 = Architecture(
    strip_head,
    down_sampling=("features.6.0", "features.4.0", "features.3.0"),
    stages=tuple((f"features.{position}",) for position in range(9)),
)
