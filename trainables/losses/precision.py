"""The precision in which losses are computed."""

from functools import reduce

import torch
from torch import Tensor


def loss_dtype(*tensors: Tensor) -> torch.dtype:
    """Return float32, or float64 where one of `tensors` has it: half precision is too coarse for sums over a map."""
    return reduce(torch.promote_types, (tensor.dtype for tensor in tensors), torch.float32)
