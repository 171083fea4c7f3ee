"""torchvision's ConvNeXts without their head."""

from torch import nn

from trainables.models.architecture import Architecture
from trainables.models.surgery import without_children


def strip_head(network: nn.Module, *, final_norm: bool, final_relu: bool) -> tuple[nn.Sequential, list[str]]:
    """Leave pooling and the linear layer out, and put the layer norm that stands between them before the pooling.

    Behind the pooling it would come between the features and the logits, which then were no sum of maps.
    """
    assert final_relu, "a ConvNeXt has no activation after its last residual sum"
    trunk = without_children(network, {"avgpool", "classifier"})
    if not final_norm:
        return trunk, ["classifier.0: no norm"]
    classifier = network.get_submodule("classifier")
    assert isinstance(classifier, nn.Sequential)
    trunk.add_module("classifier", classifier[:1])
    return trunk, ["classifier.0: each cell is normalised before the pooling, not their mean after it"]


CONVNEXT = Architecture(
    strip_head,
    down_sampling=("features.6", "features.4", "features.2"),
    stages=(
        ("features.0",),
        ("features.1",),
        ("features.2", "features.3"),
        ("features.4", "features.5"),
        ("features.6", "features.7", "classifier"),
    ),
)
