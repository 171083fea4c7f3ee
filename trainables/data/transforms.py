"""Crops and flips that move an image and its mask together."""

from collections.abc import Callable

from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from trainables.config import Augmentation

ImageAndMask = tuple[tv_tensors.Image, tv_tensors.Mask | None]
Transform = Callable[[tv_tensors.Image, tv_tensors.Mask | None], ImageAndMask]
"""Images are resampled bilinearly with antialiasing, masks take the nearest pixel."""
MAX_RATIO = 8
"""An image that is more than this many times as long as wide loses its ends, which no crop shows."""


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


def _centre_crop(image_size: int) -> list[Transform]:
    return [_without_far_ends, v2.Resize(image_size, antialias=True), v2.CenterCrop(image_size)]


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
