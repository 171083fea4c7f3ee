"""By which images trials and epochs are chosen."""

from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from trainables.config.section import Section

HELD_OUT: JsonDict = {"source": "held_out"}
"""What the validation set was in earlier versions: the set that is reported."""


class Validation(Section):
    """The images by which trials and epochs are chosen; what is reported of them comes from the test set."""

    source: Literal["cut", "held_out", "own"] = "cut"
    """`cut` from the training images, `held_out` where one set serves to choose and to report, as in earlier versions,
    or the validation set that the data have as their `own`."""
    share: float = Field(default=0.2, gt=0, le=0.5)
    """Share of the training images that is cut off, of each class alike."""
    seed: int = Field(default=0, ge=0)
    """Seed of the cut; apart from the training seed, so that seeds share their validation set."""


class DigitsValidation(Section):
    """The images of digits by which trials and epochs are chosen."""

    source: Literal["cut", "held_out"] = "cut"
    """Handwriting `cut` from the training digits, or `held_out`: the test set, as in earlier versions."""
    share: float = Field(default=0.2, gt=0, le=0.5)
    """Share of the training digits that is cut off, of each class alike."""
    random_share: float = Field(default=0.5, ge=0, le=1)
    """Share of the validation images that lie on a random texture, so that every group has some."""
