"""What training images go through before they are trained on."""

from typing import Self

from pydantic import Field, model_validator

from trainables.config.section import ADDED_LATER, Section


class RandAugment(Section):
    """RandAugment (Cubuk et al. 2020), torchvision's: operations drawn at random from 14 of the same strength."""

    num_ops: int = Field(default=2, ge=1)
    """Operations on each image, one after the other."""
    magnitude: int = Field(default=9, ge=0, le=30)
    """Their strength."""


class ColorJitter(Section):
    """Random changes of colour, torchvision's ColorJitter: factors within 1 - x and 1 + x, and a shift of the hue."""

    brightness: float = Field(default=0.4, ge=0)
    contrast: float = Field(default=0.4, ge=0)
    saturation: float = Field(default=0.4, ge=0)
    hue: float = Field(default=0.0, ge=0, le=0.5)
    """The largest shift in either direction; 1 is once around the circle of colours."""

    @model_validator(mode="after")
    def _something_changes(self) -> Self:
        if not (self.brightness or self.contrast or self.saturation or self.hue):
            raise ValueError("data.augmentation.color_jitter changes nothing, for all of it is 0; set it to null")
        return self


class RandomErasing(Section):
    """Random erasing (Zhong et al. 2020), torchvision's: a rectangle gets the mean colour of ImageNet."""

    probability: float = Field(default=0.25, gt=0, le=1)
    """Share of the images in which one is erased."""
    scale_min: float = Field(default=0.02, gt=0, lt=1)
    """Smallest share of the image that it covers; torchvision erases no whole image."""
    scale_max: float = Field(default=0.33, gt=0, le=1)
    """Largest share."""

    @model_validator(mode="after")
    def _range_is_none_backwards(self) -> Self:
        if self.scale_min > self.scale_max:
            raise ValueError(
                f"data.augmentation.random_erasing.scale_min = {self.scale_min:g} is more than scale_max = "
                f"{self.scale_max:g}; exchange them"
            )
        return self


class Augmentation(Section):
    """What training images go through, image and mask together: crop, flip, and then what is set of the others."""

    crop_scale_min: float = Field(default=0.5, gt=0, le=1)
    """Smallest share of the image's area that a random crop keeps; 1 turns the random crop off."""
    flip: bool = True
    """Mirror half of the images left to right."""
    rand_augment: RandAugment | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Random operations on place and colour; null applies none."""
    color_jitter: ColorJitter | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """Random changes of colour; null makes none."""
    random_erasing: RandomErasing | None = Field(default=None, json_schema_extra=ADDED_LATER)
    """A rectangle that shows nothing; it counts as background. Null erases none."""

    @property
    def is_random(self) -> bool:
        """Whether two draws of an image may differ."""
        others = (self.rand_augment, self.color_jitter, self.random_erasing)
        return self.crop_scale_min < 1 or self.flip or any(other is not None for other in others)
