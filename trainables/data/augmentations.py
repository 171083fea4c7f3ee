"""torchvision's augmentations of images, of which masks follow those that move or cover pixels.

A pixel that shows nothing of its image is background: one that is erased, and one that a turn brings in from outside.
What it says counts as what the background says, since it is none of the object.
C channels, H W image height and width.
"""

from collections.abc import Callable
from typing import Any

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from trainables.config import Augmentation
from trainables.config import ColorJitter as ColorJitterConfig
from trainables.config import RandAugment as RandAugmentConfig
from trainables.config import RandomErasing as RandomErasingConfig

ImageAndMask = tuple[tv_tensors.Image, tv_tensors.Mask | None]
Transform = Callable[[tv_tensors.Image, tv_tensors.Mask | None], ImageAndMask]
FILL = (124, 116, 104)
"""The mean colour of ImageNet, which is about 0 after normalisation."""
GEOMETRIC = frozenset({"ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"})
"""The operations of RandAugment that move pixels."""


def augmentations(config: Augmentation, *, background: float) -> list[Transform]:
    """Return what follows crop and flip; random numbers come from torch's global CPU generator.

    Args:
        config: The augmentations of a data set.
        background: What its masks' maps hold on background.
    """
    steps: list[Transform] = []
    if config.rand_augment is not None:
        steps.append(_rand_augment(config.rand_augment, background))
    if config.color_jitter is not None:
        steps.append(_color_jitter(config.color_jitter))
    if config.random_erasing is not None:
        steps.append(_random_erasing(config.random_erasing, background))
    return steps


class _RandAugment(v2.RandAugment):  # type: ignore[misc]
    """torchvision's, which refuses masks, with a list of the operations of the last call that moved pixels."""

    moves: list[tuple[str, float]]

    def _apply_image_or_video_transform(
        self, image: Any, transform_id: str, magnitude: float, interpolation: Any, fill: Any
    ) -> Any:
        if transform_id in GEOMETRIC:
            self.moves.append((transform_id, magnitude))
        return super()._apply_image_or_video_transform(image, transform_id, magnitude, interpolation, fill)

    def augmented(self, image_CHW: tv_tensors.Image, mask_HW: tv_tensors.Mask | None) -> ImageAndMask:
        """Return the augmented image, and its mask after the same moves, by the label at each pixel's centre."""
        self.moves = []
        augmented_CHW = self(image_CHW)
        if mask_HW is not None:
            for transform_id, magnitude in self.moves:
                mask_HW = super()._apply_image_or_video_transform(
                    mask_HW, transform_id, magnitude, v2.InterpolationMode.NEAREST, self._fill
                )
        return augmented_CHW, mask_HW


def _rand_augment(config: RandAugmentConfig, background: float) -> Transform:
    return _RandAugment(
        num_ops=config.num_ops,
        magnitude=config.magnitude,
        interpolation=v2.InterpolationMode.BILINEAR,
        fill={tv_tensors.Image: FILL, tv_tensors.Mask: background},
    ).augmented


def _color_jitter(config: ColorJitterConfig) -> Transform:
    jitter = v2.ColorJitter(config.brightness, config.contrast, config.saturation, config.hue)
    return lambda image_CHW, mask_HW: (jitter(image_CHW), mask_HW)


def _random_erasing(config: RandomErasingConfig, background: float) -> Transform:
    erasing = v2.RandomErasing(scale=(config.scale_min, config.scale_max), value=FILL)

    def erase(image_CHW: tv_tensors.Image, mask_HW: tv_tensors.Mask | None) -> ImageAndMask:
        if torch.rand(()) >= config.probability:
            return image_CHW, mask_HW
        box = erasing.make_params([image_CHW])
        if box["v"] is None:  # No rectangle that was drawn fits.
            return image_CHW, mask_HW
        if mask_HW is not None:
            value = torch.tensor(background, dtype=mask_HW.dtype)
            mask_HW = tv_tensors.Mask(functional.erase(mask_HW.unsqueeze(0), **{**box, "v": value})[0])
        return functional.erase(image_CHW, **box), mask_HW

    return erase
