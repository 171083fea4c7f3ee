"""torchvision's EfficientNetV2s without their head."""

from torch import nn

from trainables.models.family import Family
from trainables.models.surgery import children_but, replace


def cut(network: nn.Module, *, final_norm: bool, final_relu: bool) -> tuple[nn.Sequential, list[str]]:
    """Leave pooling, dropout and linear layer out; the last convolution may go without norm and activation.

    Dropout between the pooling and the head would take features from the logits that the maps still hold.
    """
    trunk = children_but(network, {"avgpool", "classifier"})
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


EFFICIENTNET_V2 = Family(cut, down_sampling=("features.6.0", "features.4.0", "features.3.0"))
