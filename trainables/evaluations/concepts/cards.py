"""A sheet for each concept: the crops in which it is strongest, and where they lie in their images.

N images, J concepts, H W image or map.
"""

from collections.abc import Sequence
from math import isnan

from PIL import Image
from torch import Tensor

from trainables.data import Batch
from trainables.drawing.colours import to_image
from trainables.drawing.sheet import Row, Tile, draw_sheet, slot_width
from trainables.drawing.tile import draw_map, tile_image
from trainables.evaluations.concepts.crops import NUM_CROPS, Crop
from trainables.evaluations.concepts.description import Concepts

NOTE = (
    "One of {num} directions of the features, of which every cell holds a non-negative amount. It adds most to the "
    "logit of {most} and least to that of {least}, compared with the mean logit. {on_object}"
    "Its partners in the factorisations of other seeds have a cosine similarity of {stability:.2f} with it, on average."
)


def draw_card(
    concept: int,
    concepts: Concepts,
    crops: Sequence[Crop],
    activations_NHW: Tensor,
    batch: Batch,
    names: Sequence[str],
) -> Image.Image:
    """Draw one concept's card.

    Args:
        concept: Its number, from 0.
        concepts: What is known of all.
        crops: This one's.
        activations_NHW: This one's, in the images of the batch.
        batch: The images.
        names: Of the classes, as they are drawn.
    """
    slot = slot_width(NUM_CROPS)
    rows = [
        Row(
            "Crops",
            "Around the strongest cell of each image.",
            [_crop(crop, batch, slot) for crop in crops],
            empty="It is active in no image of the sample.",
        ),
        Row(
            "Images",
            "Red where the concept is active; the line is the edge of the object, where a mask shows it.",
            [_whole(crop, activations_NHW, batch, names, slot) for crop in crops],
            empty="",
        ),
    ]
    return draw_sheet(title_of(concept, concepts), _note(concept, concepts, names), rows, slot=slot)


def title_of(concept: int, concepts: Concepts) -> str:
    """Return a card's title, with the concept's share where any concept is important."""
    share = concepts.shares[concept].item()
    importance = "" if isnan(share) else f": {share:.0%} of the importance"
    place = ", on the background" if concepts.is_background[concept] else ""
    return f"Concept {concept + 1}{importance}{place}"


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


def _crop(crop: Crop, batch: Batch, slot: int) -> Tile:
    cut_CHW = batch.images_BCHW[crop.index][:, *crop.box.slices]
    return Tile(to_image(tile_image(cut_CHW, slot)), None, (f"activation {crop.activation:.2g}",))


def _whole(crop: Crop, activations_NHW: Tensor, batch: Batch, names: Sequence[str], slot: int) -> Tile:
    index = crop.index
    image_CHW = tile_image(batch.images_BCHW[index], slot)
    object_HW = 1 - batch.background_BHW[index] if batch.has_mask_B[index] else None
    drawn = draw_map(image_CHW, activations_NHW[index], object_HW)
    return Tile(drawn, None, (names[int(batch.labels_B[index])],))
