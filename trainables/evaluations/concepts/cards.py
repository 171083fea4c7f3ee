"""A sheet for each concept: the crops in which it is strongest, and where they lie in their images.

N images, J concepts, H W image or map.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from PIL import Image
from torch import Tensor

from trainables.data import Batch
from trainables.drawing.colours import to_image
from trainables.drawing.sheet import Row, Tile, draw_sheet, slot_width
from trainables.drawing.tile import draw_map, tile_image
from trainables.evaluations.concepts.concepts import Concepts
from trainables.evaluations.cutouts import Box

NUM_CROPS = 8
CROP_SHARE = 0.4
"""Height and width of a crop, as a share of the image's."""
NOTE = (
    "One of {num} directions of the features, of which every cell holds a non-negative amount. It adds most to the "
    "logit of {most} and least to that of {least}, compared with the mean logit. {on_object}"
    "Its partners in the factorisations of other seeds have a cosine similarity of {stability:.2f} with it, on average."
)


@dataclass(frozen=True, slots=True)
class Crop:
    """Where a concept is strongest in one image."""

    index: int
    """Of the image in the sample."""
    row: int
    column: int
    """Of the cell."""
    activation: float

    def box(self, map_size: Sequence[int], image_size: Sequence[int]) -> Box:
        """Return the crop around the cell, moved into the image where it would be cut off."""
        (top, bottom), (left, right) = (
            _around((place + 0.5) / cells, pixels)
            for place, cells, pixels in zip((self.row, self.column), map_size, image_size, strict=True)
        )
        return Box(top, bottom, left, right)


def best_crops(activations_NHW: Tensor, num: int = NUM_CROPS) -> list[Crop]:
    """Return the strongest cell of each of the `num` images where it is strongest, without those where it is 0."""
    strongest_N, places_N = activations_NHW.flatten(1).max(1)
    order = strongest_N.argsort(descending=True, stable=True)[:num].tolist()
    width = activations_NHW.shape[2]
    return [
        Crop(index, *divmod(int(places_N[index]), width), strongest_N[index].item())
        for index in order
        if strongest_N[index] > 0
    ]


def draw_card(
    concept: int, concepts: Concepts, activations_NHW: Tensor, batch: Batch, names: Sequence[str]
) -> Image.Image:
    """Draw one concept's card.

    Args:
        concept: Its number, from 0.
        concepts: What is known of all.
        activations_NHW: This one's, in the images of the batch.
        batch: The images.
        names: Of the classes, as they are drawn.
    """
    crops, slot = best_crops(activations_NHW), slot_width(NUM_CROPS)
    rows = [
        Row(
            "Crops",
            "Around the strongest cell of each image.",
            [_crop(c, activations_NHW, batch, slot) for c in crops],
            empty="It is active in no image of the sample.",
        ),
        Row(
            "Images",
            "Red where the concept is active; the line is the edge of the object, where a mask shows it.",
            [_whole(c, activations_NHW, batch, names, slot) for c in crops],
            empty="",
        ),
    ]
    title = f"Concept {concept + 1}: {concepts.shares[concept]:.0%} of the importance"
    if concepts.is_background[concept]:
        title += ", on the background"
    return draw_sheet(title, _note(concept, concepts, names), rows, slot=slot)


def _note(concept: int, concepts: Concepts, names: Sequence[str]) -> str:
    order = concepts.head_JK[concept].argsort()
    share = concepts.object_share_J[concept].item()
    on_object = f"{share:.0%} of its activation lies on the object, which is {concepts.object_area:.0%} of the area. "
    return NOTE.format(
        num=len(concepts.head_JK),
        most=names[int(order[-1])],
        least=names[int(order[0])],
        on_object="" if isnan(share) else on_object,
        stability=concepts.stability_J[concept],
    )


def _crop(crop: Crop, activations_NHW: Tensor, batch: Batch, slot: int) -> Tile:
    image_CHW = batch.images_BCHW[crop.index]
    box = crop.box(activations_NHW.shape[1:], image_CHW.shape[1:])
    return Tile(to_image(tile_image(image_CHW[:, *box.slices], slot)), None, (f"activation {crop.activation:.2g}",))


def _whole(crop: Crop, activations_NHW: Tensor, batch: Batch, names: Sequence[str], slot: int) -> Tile:
    index = crop.index
    image_CHW = tile_image(batch.images_BCHW[index], slot)
    object_HW = 1 - batch.background_BHW[index] if batch.has_mask_B[index] else None
    drawn = draw_map(image_CHW, activations_NHW[index], object_HW)
    return Tile(drawn, None, (names[int(batch.labels_B[index])],))


def _around(centre: float, pixels: int) -> tuple[int, int]:
    side = max(1, round(CROP_SHARE * pixels))
    start = min(max(0, round(centre * pixels - side / 2)), pixels - side)
    return start, start + side
