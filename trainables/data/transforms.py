"""Crops, flips and further augmentations that move an image and its mask together.

Crops resample images bilinearly with antialiasing, and masks by `resize_mask`.

C channels, H W image height and width.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from trainables.config import Augmentation
from trainables.data.augmentations import ImageAndMask, Transform, augmentations

Indices = npt.NDArray[np.int64]
MAX_RATIO = 8
"""An image that is more than this many times as long as wide loses its ends, which no crop shows."""


def training_transform(
    image_size: int, augmentation: Augmentation, *, background: float = 1, first: Sequence[Transform] = ()
) -> Transform:
    """Return the augmentation; its random numbers come from torch's global CPU generator.

    Args:
        image_size: Side of the image that it returns.
        augmentation: Crop, flip and what follows them.
        background: What a mask's map holds on background.
        first: Steps before a crop that is not random.
    """
    scale_min = augmentation.crop_scale_min
    steps = [_random_crop(image_size, scale_min)] if scale_min < 1 else [*first, *_centre_crop(image_size)]
    if augmentation.flip:
        steps.append(v2.RandomHorizontalFlip(p=0.5))
    transform: Transform = v2.Compose([*steps, *augmentations(augmentation, background=background)])
    return transform


def evaluation_transform(image_size: int, first: Sequence[Transform] = ()) -> Transform:
    """Return the crop without randomness: the steps `first`, shorter side to `image_size`, then the central square."""
    transform: Transform = v2.Compose([*first, *_centre_crop(image_size)])
    return transform


def resize_mask(mask_HW: Tensor, size: Sequence[int]) -> tv_tensors.Mask:
    """Return the mask at another size, aligned with its image: each pixel has the label at its centre.

    That is torch's mode `nearest-exact`; `nearest`, which torchvision takes for masks, is off by up to half a pixel.
    A centre between two pixels, as at half the size, takes the lower of their labels, whichever side it is on. Labels
    are never blended.
    """
    labels_HW = mask_HW.as_subclass(Tensor).numpy()  # numpy picks rows and columns in a third of torch's time.
    (rows, rows_before), (columns, columns_before) = map(_pixels_at_centres, labels_HW.shape, size)
    resized_HW = labels_HW[rows].take(columns, axis=1)
    if rows is not rows_before or columns is not columns_before:
        resized_HW = np.minimum(resized_HW, labels_HW[rows_before].take(columns_before, axis=1))
    return tv_tensors.Mask(torch.from_numpy(resized_HW))


@lru_cache(maxsize=1024)
def _pixels_at_centres(length: int, new_length: int) -> tuple[Indices, Indices]:
    """Return the pixel at the centre of each new one, `(i + 1/2) * length / new_length`.

    It is there twice: a centre between two pixels has the one after it, and the one before it. Where there is no such
    centre, both are one array.
    """
    doubled_N = (2 * np.arange(new_length) + 1) * length
    after_N, before_N = doubled_N // (2 * new_length), (doubled_N - 1) // (2 * new_length)
    return after_N, after_N if (after_N == before_N).all() else before_N


def _random_crop(image_size: int, scale_min: float) -> Transform:
    drawing = v2.RandomResizedCrop(image_size, scale=(scale_min, 1.0))

    def crop(image_CHW: tv_tensors.Image, mask_HW: tv_tensors.Mask | None) -> ImageAndMask:
        box = drawing.make_params([image_CHW])
        cropped_CHW = functional.resized_crop(image_CHW, **box, size=drawing.size, antialias=True)
        if mask_HW is None:
            return cropped_CHW, None
        top, left = box["top"], box["left"]
        within_HW = mask_HW[top : top + box["height"], left : left + box["width"]]
        return cropped_CHW, resize_mask(within_HW, drawing.size)

    return crop


def _centre_crop(image_size: int) -> list[Transform]:
    def resize(image_CHW: tv_tensors.Image, mask_HW: tv_tensors.Mask | None) -> ImageAndMask:
        resized_CHW = functional.resize(image_CHW, [image_size], antialias=True)
        return resized_CHW, None if mask_HW is None else resize_mask(mask_HW, resized_CHW.shape[1:])

    return [_without_far_ends, resize, v2.CenterCrop(image_size)]


def _without_far_ends(image_CHW: tv_tensors.Image, mask_HW: tv_tensors.Mask | None) -> ImageAndMask:
    """Cut a very long image to its middle: enlarged as a whole, it could fill the memory."""
    height, width = image_CHW.shape[-2:]
    longest = MAX_RATIO * min(height, width)
    if max(height, width) <= longest:
        return image_CHW, mask_HW
    longest += (max(height, width) - longest) % 2  # Cut the same from either end.
    size = [min(height, longest), min(width, longest)]
    middle = tv_tensors.Image(functional.center_crop(image_CHW, size))
    return middle, None if mask_HW is None else tv_tensors.Mask(functional.center_crop(mask_HW, size))
