"""What is done to the images of a training batch beyond the augmentation of each: CutMix and new backgrounds."""

from typing import Literal

from pydantic import Field

from trainables.config.section import Section


class CutMix(Section):
    """Boxes of other images are pasted with their masks; each label counts by what shows of its own object."""

    probability: float = Field(default=0.5, gt=0, le=1)
    """Share of batches that are mixed."""
    alpha: float = Field(default=1.0, gt=0)
    """Both parameters of the beta distribution of the box's share of the image."""


class BackgroundSwap(Section):
    """Objects stand before the backgrounds of other images of their batch, whose own objects are tiled over."""

    probability: float = Field(default=1.0, gt=0, le=1)
    """Share of the images that get another background."""
    backgrounds: Literal["rand", "same"] = "rand"
    """That of any image of the batch, its own class and itself included; or of one of its own class."""


class ObjectOnly(Section):
    """Objects stand before a background of one colour."""

    probability: float = Field(default=1.0, gt=0, le=1)
    """Share of the images whose background is filled."""
    fill: Literal["black", "grey"] = "black"
    """The colour; black is that of the metric `background/only_fg`."""


def check_backgrounds(swap: BackgroundSwap | None, only: ObjectOnly | None) -> None:
    """Raise ValueError where more images than there are would get another background."""
    if swap is not None and only is not None and swap.probability + only.probability > 1:
        raise ValueError(
            f"background_swap.probability = {swap.probability:g} and object_only.probability = {only.probability:g} "
            "are shares of the images, each of which gets one background at most; let them add up to 1 or less"
        )
