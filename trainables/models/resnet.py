"""torchvision's ResNets, Wide ResNets and ResNeXts without their head."""

from itertools import count

from torch import Tensor, nn

from trainables.models.architecture import Architecture
from trainables.models.surgery import without_children


def strip_head(network: nn.Module, *, final_norm: bool, final_relu: bool) -> tuple[nn.Sequential, list[str]]:
    """Leave pooling and `fc` out; the last sum may go without the norm before it and the activation after it."""
    trunk = without_children(network, {"avgpool", "fc"})
    edits = []
    if not final_norm:
        edits += remove_final_norm(trunk)
    if not final_relu:
        edits += remove_final_relu(trunk)
    return trunk, edits


def remove_final_norm(trunk: nn.Sequential) -> list[str]:
    """Let the last convolution of the last block feed the residual sum without a norm."""
    name, block = _last_block(trunk)
    setattr(block, f"bn{_num_convs(block)}", nn.Identity())
    return [f"{name}: no norm after the last convolution"]


def remove_final_relu(trunk: nn.Sequential) -> list[str]:
    """Return the last residual sum as it is; the activations inside that block stay."""
    name, block = _last_block(trunk)
    stage, _, position = name.partition(".")
    trunk.get_submodule(stage).register_module(position, UnrectifiedBlock(block))
    return [f"{name}: no activation after the residual sum"]


class UnrectifiedBlock(nn.Module):
    """The submodules of a basic block or bottleneck, under their own names, without the activation at the end.

    In torchvision one ReLU module serves every place of a block, so the last place cannot be taken from it alone.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        for name, submodule in block.named_children():
            self.add_module(name, submodule)
        self._num_convs = _num_convs(block)

    def forward(self, x_BFHW: Tensor) -> Tensor:
        out_BFHW = x_BFHW
        for number in range(1, self._num_convs + 1):
            out_BFHW = self.get_submodule(f"conv{number}")(out_BFHW)
            out_BFHW = self.get_submodule(f"bn{number}")(out_BFHW)
            if number < self._num_convs:
                out_BFHW = self.get_submodule("relu")(out_BFHW)
        return out_BFHW + x_BFHW


def _last_block(trunk: nn.Sequential) -> tuple[str, nn.Module]:
    position, block = list(trunk.get_submodule("layer4").named_children())[-1]
    assert getattr(block, "downsample", None) is None, "the last block of a ResNet has an identity shortcut"
    return f"layer4.{position}", block


def _num_convs(block: nn.Module) -> int:
    return next(number for number in count(1) if not hasattr(block, f"conv{number + 1}"))


RESNET = Architecture(
    strip_head,
    down_sampling=("layer4.0", "layer3.0", "layer2.0"),
    stages=(("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",)),
)
DEEP_RESNET = RESNET._replace(options={"zero_init_residual": True})
"""Of a hundred layers and more. Each block's residual starts from 0 (Goyal et al. 2017): batch norms that have seen
nothing divide by 1, and the sum of so many residuals would be logits of 1e7, of which float32 resolves no 1e-4.
"""
