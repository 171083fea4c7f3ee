"""Edits to a fresh ResNet trunk, each of which returns what it did in words.

A trunk is a Sequential with the children `layer1` to `layer4`, as torchvision names them.
"""

from itertools import count

from torch import Tensor, nn

FULL_STRIDE = 32
DOWN_SAMPLING_STAGES = ("layer4", "layer3", "layer2")


def keep_resolution(trunk: nn.Sequential, cam_stride: int) -> list[str]:
    """Give the last down-sampling stages stride 1, until a cell of the map spans `cam_stride` pixels.

    A stage down-samples in its first block: in the main path (the first convolution of a basic block, the second
    of a bottleneck) and in the shortcut's projection.
    """
    num_stages = (FULL_STRIDE // cam_stride).bit_length() - 1
    return [_set_stride_one(trunk, stage) for stage in DOWN_SAMPLING_STAGES[:num_stages]]


def _set_stride_one(trunk: nn.Sequential, stage: str) -> str:
    block = trunk.get_submodule(f"{stage}.0")
    convs = [part for part in block.modules() if isinstance(part, nn.Conv2d) and part.stride == (2, 2)]
    assert len(convs) == 2, f"{stage}.0 has {len(convs)} convolutions of stride 2, expected main path and shortcut"
    for conv in convs:
        conv.stride = (1, 1)
    return f"{stage}.0: stride 2 -> 1"


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
    """The parts of a basic block or bottleneck, under their own names, without the activation at the end.

    In torchvision one ReLU module serves every place of a block, so the last place cannot be taken from it alone.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        for name, part in block.named_children():
            self.add_module(name, part)
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
