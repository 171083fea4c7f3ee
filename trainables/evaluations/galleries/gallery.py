"""For each class a sheet of hits, mistakes, and the images with the least influence on the background.

N samples, K classes, H W image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from trainables.data import Batch
from trainables.drawing.colours import to_image
from trainables.drawing.sheet import Row, Tile, draw_sheet, slot_width
from trainables.drawing.tile import draw_map, tile_image
from trainables.evaluations.base import EvalSpec, EvaluationContext
from trainables.evaluations.galleries.choice import Rows, choose_classes, choose_rows
from trainables.evaluations.galleries.class_names import file_names, readable_names
from trainables.evaluations.galleries.readings import Readings, read_sample
from trainables.evaluations.result import EvaluationResult

NOTE = (
    "Below each image is its ContrastiveCAM of {name} against the rival with the highest logit: red speaks for "
    "{name}, blue for the rival, and the line is the edge of the object, where a mask shows it. Captions: the "
    "predicted class and its probability; the rival and the map's largest value, at which its colours are strongest; "
    "the background's share of the influence."
)


@dataclass(frozen=True, eq=False)
class _Shown:
    """What tiles are made from."""

    batch: Batch
    readings: Readings
    names: Sequence[str]
    slot: int


def _run(context: EvaluationContext) -> EvaluationResult:
    batch, readings = context.sampled, read_sample(context)
    settings = context.settings.images
    labels_N, classes = batch.labels_B, context.data.class_names
    right_N = readings.predicted_N == labels_N
    files, names = file_names(classes), readable_names(classes)
    shown = _Shown(batch, readings, names, slot_width(settings.gallery_images))
    images: dict[str, Image.Image] = {}
    counts: dict[str, Any] = {}
    for label in choose_classes(labels_N, right_N, settings.gallery_classes):
        num, num_right = int((labels_N == label).sum()), int(right_N[labels_N == label].sum())
        title = f"Class {names[label]}: {num_right} of its {num} images in the sample are predicted right"
        rows = choose_rows(readings, labels_N, label, settings.gallery_images)
        images[files[label]] = draw_sheet(title, NOTE.format(name=names[label]), _rows(shown, rows), slot=shown.slot)
        counts[files[label]] = {"class": classes[label], "num_pictures": num, "num_right": num_right}
    return EvaluationResult(
        {},
        images=images,
        settings={
            "seed": context.settings.seed,
            "num_pictures": len(batch),
            "num_without_mask": int((~batch.has_mask_B).sum()),
            "gallery_images": settings.gallery_images,
            "gallery_classes": settings.gallery_classes,
            "chosen_classes": "lowest accuracy on the sample",
            "classes_in_sample": len(set(labels_N.tolist())),
            "classes": counts,
        },
    )


def _rows(shown: _Shown, rows: Rows) -> list[Row]:
    return [
        Row(
            heading="Hits",
            note="Predicted right, the most confident first.",
            tiles=_tiles(shown, rows.hits),
            empty="None is predicted right.",
        ),
        Row(
            heading="Confident mistakes",
            note="Predicted wrong, the most confident first.",
            tiles=_tiles(shown, rows.mistakes),
            empty="None is predicted wrong.",
        ),
        Row(
            heading="Least influence on the background",
            note="Right or wrong, the smallest share of the influence on the background first: the images on which "
            "the network looks most at the object.",
            tiles=_tiles(shown, rows.least_background),
            empty="None has a mask, to tell influence on the object from that on the background.",
        ),
    ]


def _tiles(shown: _Shown, indices: Sequence[int]) -> list[Tile]:
    return [_tile(shown, index) for index in indices]


def _tile(shown: _Shown, index: int) -> Tile:
    batch = shown.batch
    image_CHW = tile_image(batch.images_BCHW[index], shown.slot)
    object_HW = 1 - batch.background_BHW[index] if batch.has_mask_B[index] else None
    drawn = draw_map(image_CHW, shown.readings.contrast_NHW[index], object_HW)
    return Tile(to_image(image_CHW), drawn, _caption(shown.readings, shown.names, index))


def _caption(readings: Readings, names: Sequence[str], index: int) -> tuple[str, ...]:
    largest = readings.contrast_NHW[index].abs().max()
    predicted = f"predicted {names[int(readings.predicted_N[index])]}, {readings.confidence_N[index]:.0%}"
    rival = f"map vs {names[int(readings.rival_N[index])]}, ±{largest:.2g}"
    share = readings.background_share_N[index]
    return (predicted, rival) if share.isnan() else (predicted, rival, f"background {share:.0%}")


GALLERY = EvalSpec(
    name="gallery",
    category="images",
    directions={},
    run=_run,
    definition=2,  # 1 had masks that were not aligned with their images.
)
