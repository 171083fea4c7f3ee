"""How the last layer is fitted anew: deep feature reweighting."""

from typing import Literal

from pydantic import Field

from trainables.config.section import Section


class Dfr(Section):
    """Deep feature reweighting: the last layer is fitted anew to frozen features of images that are balanced."""

    fit_on: Literal["validation", "training", "object_only"] = "validation"
    """A half of the validation images, which validates nothing then; or training images. Both are balanced over classes
    and groups. `object_only` takes training images with a grey background instead, balanced over the classes."""
    num_subsets: int = Field(default=20, ge=1)
    """Balanced subsets, of whose fits the mean is taken; the literature has 20 of validation, 10 of training images."""
    images_per_group: int | None = Field(default=None, ge=1)
    """Most images of each class and group in a subset; null takes as many as the smallest has."""

    @property
    def needs_groups(self) -> bool:
        """Whether it is given the groups of images."""
        return self.fit_on != "object_only"
