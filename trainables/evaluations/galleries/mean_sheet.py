"""The mean influence as an image: over the images, next to their objects, and around these.

Influence is drawn in multiples of what each cell would have if it were spread evenly.
H W map, G grid of a frame.
"""

import math
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from trainables.drawing.heat_map import WATER, HeatMap, draw_heat_maps
from trainables.evaluations.galleries.object_frame import Frame, in_box

TITLE = "Where the influence lies"


@dataclass(frozen=True, eq=False)
class Around:
    """Means over the images with an object."""

    object_HW: Tensor
    """How much of each cell is object, the mean over the images."""
    frame: Frame
    """Influence around the object, in multiples of an even spread."""
    num_pictures: int
    min_reach: float
    """Share of the images that a cell of the frame must lie in to be shown."""

    def influence(self) -> Tensor:
        """Return the mean influence around the object, GG, nan where too few images reach."""
        return self.frame.mean(self.min_reach * self.num_pictures)


def draw_means(share_HW: Tensor, num_pictures: int, around: Around | None) -> Image.Image:
    """Draw the mean influence, whose cells sum to 1; with `around`, also the object and the influence around it."""
    multiples_HW = share_HW * share_HW.numel()
    highest = _highest(multiples_HW)
    if around:
        highest = max(highest, _highest(around.influence()))
    ticks = [(highest, f"{highest:.2g} x"), (0.0, "0"), (1.0, "1 = even"), (highest / 2, f"{highest / 2:.2g} x")]
    influence = HeatMap(
        "Influence",
        "The sum over the classes k of |ContrastiveCAM of the label against k|, as a multiple of what each cell would "
        f"have if an image's were spread evenly; mean over {num_pictures} images. The strongest cell has "
        f"{100 * share_HW.max():.2g}% of the whole.",
        multiples_HW,
        highest,
        ticks,
    )
    if not around:
        return draw_heat_maps(TITLE, [influence])
    beyond = " Grey is beyond the edge of nearly all images." if around.influence().isnan().any() else ""
    aligned = HeatMap(
        "Influence around the object",
        "The same images laid over each other by the bounding box of the object, the black square, and half as much "
        f"on each side. {_compared(around.frame)}{beyond}",
        around.influence(),
        highest,
        ticks,
        boxed=True,
    )
    return draw_heat_maps(TITLE, [influence, _objects(around), aligned])


def _objects(around: Around) -> HeatMap:
    most = around.object_HW.max().item()
    return HeatMap(
        "Objects",
        f"How much of each cell is object, mean over the {around.num_pictures} images with a mask.",
        around.object_HW,
        most,
        [(value, f"{value:.2g}") for value in (most, 0.0, most / 2)],
        ramp=WATER,
    )


def _compared(frame: Frame) -> str:
    inside_GG = in_box(len(frame.total_GG))
    inside, around = frame.mean_of(inside_GG), frame.mean_of(~inside_GG)
    beyond = "nothing lies around it" if math.isnan(around) else f"around it {around:.2f} times"
    return f"In the box the influence is {inside:.2f} times the even spread, {beyond}."


def _highest(map_HW: Tensor) -> float:
    return map_HW[~map_HW.isnan()].max().item()
