"""Whether masks fit their images as they are, or only after a turn.

The edge of an object is where colours change. A mask that is turned by mistake has its edge elsewhere.
B batch, C channels, H W image height and width; images are square.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb

from torch import Tensor

MAX_P = 0.01
"""Largest probability, by chance, of so many masks that fit better after a turn."""
MIN_SHARE = 0.75
"""Smallest share of masks that fit better after a turn."""
Turn = Callable[[Tensor], Tensor]
ROTATIONS: Mapping[int, Turn] = {
    90: lambda mask: mask.rot90(1, (-2, -1)),
    180: lambda mask: mask.rot90(2, (-2, -1)),
    270: lambda mask: mask.rot90(3, (-2, -1)),
}
"""By degrees, against the clock."""
EXIF_TURNS: Mapping[int, Turn] = {
    2: lambda mask: mask.flip(-1),
    3: ROTATIONS[180],
    4: lambda mask: mask.flip(-2),
    5: lambda mask: mask.transpose(-2, -1),
    6: ROTATIONS[270],
    7: lambda mask: ROTATIONS[180](mask.transpose(-2, -1)),
    8: ROTATIONS[90],
}
"""What makes stored pixels upright, by their EXIF orientation."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How many masks fit better after a turn."""

    better: int
    num: int

    @property
    def is_turned(self) -> bool:
        """Whether chance does not explain it."""
        tail = sum(comb(self.num, count) for count in range(self.better, self.num + 1)) / 2**self.num
        return self.num > 0 and self.better >= MIN_SHARE * self.num and tail <= MAX_P / len(ROTATIONS)


def edge_contrast(image_CHW: Tensor, background_HW: Tensor) -> float:
    """Return the mean difference of colour between neighbours of which one is background and one is not; 0 for none."""
    is_object_HW = background_HW < 0.5
    total, num = 0.0, 0
    for axis in (-2, -1):
        is_edge = is_object_HW.diff(dim=axis)
        change = image_CHW.diff(dim=axis).abs().mean(0)
        total += change[is_edge].sum().item()
        num += int(is_edge.sum())
    return total / num if num else 0.0


def fit_after(turns: Sequence[Turn], images_BCHW: Tensor, backgrounds_BHW: Tensor) -> Fit:
    """Return how many masks have more contrast at their edges after each image's turn, of those that have edges."""
    better = num = 0
    for turn, image_CHW, background_HW in zip(turns, images_BCHW, backgrounds_BHW, strict=True):
        before, after = edge_contrast(image_CHW, background_HW), edge_contrast(image_CHW, turn(background_HW))
        num += before != after
        better += after > before
    return Fit(better, num)


def needed_rotation(images_BCHW: Tensor, backgrounds_BHW: Tensor) -> tuple[int, Fit] | None:
    """Return the rotation, in degrees against the clock, that masks need to fit their images; None where they fit."""
    fits = {
        degrees: fit_after([turn] * len(images_BCHW), images_BCHW, backgrounds_BHW)
        for degrees, turn in ROTATIONS.items()
    }
    degrees = max(fits, key=lambda each: fits[each].better)
    return (degrees, fits[degrees]) if fits[degrees].is_turned else None
