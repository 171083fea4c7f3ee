"""The numbers behind cards and table, for pages that draw them.

N images, J concepts, K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from trainables.data import Batch
from trainables.evaluations.concepts.class_table import classes_with_images
from trainables.evaluations.concepts.crops import Crop
from trainables.evaluations.concepts.description import Concepts, name_of
from trainables.evaluations.concepts.readings import Readings


def document(
    concepts: Concepts,
    crops: Sequence[Sequence[Crop]],
    readings: Readings,
    batch: Batch,
    class_names: Sequence[str],
) -> Mapping[str, Any]:
    """Return the concepts in JSON's types.

    The margin that concept j adds to class c over class r is `(head[j][c] - head[j][r])` times its amount in an
    image, or its mean amount in the images of a class.
    """
    classes = classes_with_images(concepts)
    return {
        "class_names": list(class_names),
        "map_size": list(readings.background_NHW.shape[1:]),
        "concepts": [_concept(j, concepts, own) for j, own in enumerate(crops)],
        "head": concepts.head_JK.tolist(),
        "object_area": concepts.object_area,
        "by_class": {
            "classes": classes,
            "importance": concepts.by_class_KJ[classes].tolist(),
            "amounts": concepts.amounts_KJ[classes].tolist(),
        },
        "images": {
            "ids": list(batch.ids),
            "labels": batch.labels_B.tolist(),
            "logits": readings.logits_NK.tolist(),
            "amounts": readings.amounts.tolist(),
        },
    }


def _concept(number: int, concepts: Concepts, crops: Sequence[Crop]) -> Mapping[str, Any]:
    return {
        "card": name_of(number),
        "importance": concepts.importance_J[number].item(),
        "share": concepts.shares[number].item(),
        "object_share": concepts.object_share_J[number].item(),
        "on_background": bool(concepts.is_background[number]),
        "stability": concepts.stability_J[number].item(),
        "crops": [asdict(crop) for crop in crops],
    }
