"""Stride 1 in the last down-sampling layers of any network, found by the sizes that they are given.

B batch, C channels, H W image or map.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from trainables.models.map_layout import UnfitNetworkError
from trainables.models.surgery import replace

POOLINGS = (nn.AvgPool2d, nn.MaxPool2d)


def remove_strides(
    network: nn.Module, map_of: Callable[[Tensor], Tensor], images_BCHW: Tensor, cam_stride: int
) -> list[str]:
    """Give layers of stride 2 stride 1, until a cell of the map spans `cam_stride` pixels; say so in words.

    Those are edited whose result has fewer cells than the map that is asked for. A pooling of an even size is left out,
    and a convolution of an even size is padded below and at the right.

    Args:
        map_of: Returns the map B,F,H,W that `network` makes of images.

    Raises:
        UnfitNetworkError: No such layers lead to that stride.
    """
    size = images_BCHW.shape[-1]
    wanted = math.ceil(size / cam_stride)
    with _result_sides(network) as sides:
        found = map_of(images_BCHW).shape[-1]
    if found > wanted:
        raise UnfitNetworkError(
            f"its own map has {found} cells a side at {size} px, more than the {wanted} of that stride"
        )
    if found == wanted:  # A layer off the map's path may have fewer cells all the same.
        return []
    edits = [_keep_size(network, name) for name, side in sides.items() if side < wanted]
    found = map_of(images_BCHW).shape[-1]
    if found != wanted:
        raise UnfitNetworkError(
            f"its map has {found} cells a side at {size} px, not {wanted}, with stride 1 in {len(edits)} "
            "of its layers; what is left down-samples by other means"
        )
    return edits


@contextmanager
def _result_sides(network: nn.Module) -> Iterator[dict[str, int]]:
    """Yield the side of the map that each layer of stride 2 returns in a forward pass."""
    sides: dict[str, int] = {}

    def note(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _module, _inputs, result: sides.__setitem__(name, result.shape[-1])

    strided = [(name, module) for name, module in network.named_modules() if _has_stride_two(module)]
    handles = [module.register_forward_hook(note(name)) for name, module in strided]
    try:
        yield sides
    finally:
        for handle in handles:
            handle.remove()


def _has_stride_two(module: nn.Module) -> bool:
    return getattr(module, "stride", None) in (2, (2, 2), [2, 2]) and not list(module.children())


def _keep_size(network: nn.Module, name: str) -> str:
    layer: Any = network.get_submodule(name)
    size = layer.kernel_size if isinstance(layer, (nn.Conv2d, *POOLINGS)) else 1
    is_even = (size if isinstance(size, int) else size[0]) % 2 == 0
    if is_even and isinstance(layer, POOLINGS):
        replace(network, name, nn.Identity())
        return f"{name}: no pooling"
    layer.stride = (1, 1) if isinstance(layer.stride, tuple) else 1
    if is_even and type(layer) is nn.Conv2d:
        padded = nn.Sequential(OrderedDict([("pad", nn.ZeroPad2d((0, 1, 0, 1))), ("conv", layer)]))
        replace(network, name, padded)
        return f"{name}: stride 2 -> 1, padded below and at the right"
    return f"{name}: stride 2 -> 1"
