"""What is wrong with a loss's arguments, in words: what was found and what would be right.

Values of tensors on an accelerator are not looked at, because that would wait for it.

B batch, K classes, F features, H W map.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

ROUNDING = 1e-5


def check_head(features_BFHW: Tensor, weight_KF: Tensor, bias_K: Tensor | None) -> None:
    """Raise ValueError where features and head do not belong together."""
    if features_BFHW.ndim != 4:
        raise ValueError(f"features have the shape {tuple(features_BFHW.shape)}; expected B,F,H,W")
    num_features = features_BFHW.shape[1]
    if weight_KF.ndim != 2 or weight_KF.shape[1] != num_features:
        raise ValueError(f"weight has the shape {tuple(weight_KF.shape)}; expected K,{num_features} for the features")
    if bias_K is not None:
        check_shape("bias", bias_K, (len(weight_KF),))


def check_maps(contrastive_BKHW: Tensor, labels_B: Tensor, background_BHW: Tensor) -> None:
    """Raise ValueError where maps, labels and background do not belong together."""
    if contrastive_BKHW.ndim != 4:
        raise ValueError(f"maps have the shape {tuple(contrastive_BKHW.shape)}; expected B,K,H,W")
    num_samples, num_classes, height, width = contrastive_BKHW.shape
    if num_classes < 2:
        raise ValueError(f"maps of {num_classes} classes; expected 2 or more, because a class is held against others")
    check_labels(labels_B, num_samples=num_samples, num_classes=num_classes)
    check_background(background_BHW, (num_samples, height, width))


def check_labels(labels_B: Tensor, *, num_samples: int, num_classes: int) -> None:
    """Raise ValueError where labels are no classes of the samples."""
    check_shape("labels", labels_B, (num_samples,))
    if labels_B.dtype != torch.int64:
        raise ValueError(f"labels are {labels_B.dtype}; expected torch.int64")
    check_range("labels", labels_B, 0, num_classes - 1)


def check_background(background: Tensor, shape: Sequence[int]) -> None:
    """Raise ValueError where a background is not on the map's grid or is no share."""
    check_shape("background", background, shape)
    check_range("background", background, 0, 1)


def check_shape(name: str, tensor: Tensor, shape: Sequence[int]) -> None:
    """Raise ValueError where a tensor has another shape."""
    if tensor.shape != tuple(shape):
        raise ValueError(f"the shape of {name} is {tuple(tensor.shape)}; expected {tuple(shape)}")


def check_range(name: str, values: Tensor, low: float, high: float) -> None:
    """Raise ValueError where a value is less than `low` or more than `high`, or none; rounding is allowed for."""
    if values.device.type != "cpu" or not values.numel():
        return
    smallest, largest = values.min().item(), values.max().item()
    if not (low - ROUNDING <= smallest and largest <= high + ROUNDING):
        raise ValueError(f"values of {name} lie between {smallest} and {largest}; expected {low} to {high}")


def check_not_negative(name: str, value: float) -> None:
    """Raise ValueError where a number is negative, infinite or none."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} = {value}; expected a finite number of at least 0")
