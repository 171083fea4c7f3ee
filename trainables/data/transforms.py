"""Crops and flips that move a picture and its mask together."""

from collections.abc import Callable

from torchvision import tv_tensors
from torchvision.transforms import v2

from trainables.config import Augmentation

PictureAndMask = tuple[tv_tensors.Image, tv_tensors.Mask | None]
Transform = Callable[[tv_tensors.Image, tv_tensors.Mask | None], PictureAndMask]
"""Pictures are resampled bilinearly with antialiasing, masks take the nearest pixel."""


def training_transform(image_size: int, augmentation: Augmentation) -> Transform:
    """Return the random crop and flip; its random numbers come from torch's global CPU generator."""
    scale_min = augmentation.crop_scale_min
    steps = _centre_crop(image_size)
    if scale_min < 1:
        steps = [v2.RandomResizedCrop(image_size, scale=(scale_min, 1.0), antialias=True)]
    if augmentation.flip:
        steps.append(v2.RandomHorizontalFlip(p=0.5))
    transform: Transform = v2.Compose(steps)
    return transform


def evaluation_transform(image_size: int) -> Transform:
    """Return the crop without randomness: shorter side to `image_size`, then the central square."""
    transform: Transform = v2.Compose(_centre_crop(image_size))
    return transform


def _centre_crop(image_size: int) -> list[v2.Transform]:
    return [v2.Resize(image_size, antialias=True), v2.CenterCrop(image_size)]
