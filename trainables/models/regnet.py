"""torchvision's RegNets without their head."""

from torch import nn

from trainables.models.architecture import Architecture
from trainables.models.surgery import replace, without_children


def strip_head(network: nn.Module, *, final_norm: bool, final_relu: bool) -> tuple[nn.Sequential, list[str]]:
    """Leave pooling and `fc` out; the last sum may go without the norm before it and the activation after it."""
    trunk = without_children(network, {"avgpool", "fc"})
    *_, (position, _) = trunk.get_submodule("trunk_output.block4").named_children()
    block = f"trunk_output.block4.{position}"
    edits = []
    if not final_norm:
        replace(trunk, f"{block}.f.c.1", nn.Identity())
        edits.append(f"{block}: no norm after the last convolution")
    if not final_relu:
        replace(trunk, f"{block}.activation", nn.Identity())
        edits.append(f"{block}: no activation after the residual sum")
    return trunk, edits


REGNET = Architecture(
    strip_head,
    down_sampling=(
        "trunk_output.block4.block4-0",
        "trunk_output.block3.block3-0",
        "trunk_output.block2.block2-0",
    ),
    stages=(("stem",), *((f"trunk_output.block{number}",) for number in range(1, 5))),
)
