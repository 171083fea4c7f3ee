"""Masks of one's own images: where they lie, and what their pixels mean."""

from typing import Annotated, Literal

from pydantic import Field

from trainables.config.places import SubFolder
from trainables.config.section import Section

MaskFrame = Literal["original", "resize256_crop224"]
"""Whether a mask fits its image as it is, or the central 224 pixels of the image at a shorter side of 256."""


class _Masks(Section):
    folder: SubFolder | None = None
    """Sub-folder of `root` in which each mask has the sub-folders and the name of its image, with any image ending."""
    suffix: str = ""
    """What a mask's name has after its image's: `_mask` for `1_mask.png` of `1.jpg`. Without `folder` such masks lie
    next to their images."""
    frame: MaskFrame = "original"
    """Whether a mask fits its image as it is, or the central 224 pixels of the image at a shorter side of 256. These
    pixels are what evaluations show of any image."""

    @property
    def by_name(self) -> bool:
        """Whether the name of an image says which mask it has."""
        return self.folder is not None or bool(self.suffix)


class NonzeroMasks(_Masks):
    """The object is every pixel that is not black."""

    kind: Literal["nonzero"] = "nonzero"


class EqualMasks(_Masks):
    """The object is every pixel of one value, which is grey, or the id R + 256 * G of a colour."""

    kind: Literal["equal", "id_r_plus_256g"] = "equal"
    value: int | Literal["label"] | None = None
    """The object's value, or `label` where it is the number in the column of labels; null reads it from the table's
    column `mask_value`."""
    ignore: int | None = None
    """Value of the pixels that are neither object nor background."""


class ThresholdMasks(_Masks):
    """The object is every pixel that is brighter than a threshold."""

    kind: Literal["threshold"] = "threshold"
    above: int = Field(default=127, ge=0, le=65534)
    """The threshold, in the file's own values: 0 to 255, or 0 to 65535 with 16 bits."""


class SoftMasks(_Masks):
    """A pixel's brightness is the object's share of it: white is object, black is background."""

    kind: Literal["soft"] = "soft"


class BoxMasks(Section):
    """The object is what lies in the boxes of the table's column `boxes`, `x1 y1 x2 y2` in pixels, `;` between two."""

    kind: Literal["boxes"] = "boxes"


class MaskSubset(Section):
    """The training images whose masks are used; the others are trained as images without a mask."""

    share: float = Field(gt=0, le=1)
    """Share of each class's training images with a mask, to the nearest image, and at least one."""
    seed: int = Field(default=0, ge=0)
    """Seed of the choice; the images of a smaller share are among those of a larger one."""


FileMasks = NonzeroMasks | EqualMasks | ThresholdMasks | SoftMasks
"""Masks in files."""
FolderMasks = Annotated[FileMasks, Field(discriminator="kind")]
TableMasks = Annotated[FileMasks | BoxMasks, Field(discriminator="kind")]
