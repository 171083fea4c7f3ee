"""Masks of several classes: which class each pixel shows, and what follows for a batch.

A class map holds k + 1 on class k, 0 on background, and VOID on what is neither.
B batch, K classes, C channels, H W image height and width.
"""

import torch
from torch import Tensor

from trainables.data.batch import Batch

VOID = 255


def check_class_map(values_HW: Tensor, *, num_classes: int) -> Tensor:
    """Return the values of a mask file, uint8, as they are.

    Raises:
        ValueError: It holds other values than a class map's, or shows no object.
    """
    counts = torch.bincount(values_HW.flatten(), minlength=VOID + 1)
    if counts[num_classes + 1 : VOID].any():
        others = ", ".join(str(value) for value in counts.nonzero().flatten().tolist() if num_classes < value < VOID)
        raise ValueError(
            f"has the values {others}; a class mask has 0 (background), 1 to {num_classes} (classes) and "
            f"{VOID} (neither) alone"
        )
    if not counts[1 : num_classes + 1].any():
        raise ValueError(f"shows no object: not one pixel has a value from 1 to {num_classes}")
    return values_HW


def class_areas(classes_BHW: Tensor, num_classes: int) -> Tensor:
    """Return the number of pixels of each class, int64 B,K."""
    areas_BK = torch.zeros(len(classes_BHW), num_classes, dtype=torch.int64)
    for areas_K, classes_HW in zip(areas_BK, classes_BHW, strict=True):
        areas_K.copy_(torch.bincount(classes_HW.flatten(), minlength=VOID + 1)[1 : num_classes + 1])
    return areas_BK


def main_class(classes_HW: Tensor, num_classes: int) -> int:
    """Return the class with the most pixels, the first of equal ones."""
    return int(class_areas(classes_HW.unsqueeze(0), num_classes).argmax())


def batch_of_classes(
    images_BCHW: Tensor, classes_BHW: Tensor, labels_B: Tensor, ids: tuple[str, ...], *, num_classes: int
) -> Batch:
    """Return the batch of images in [0, 1] with the class maps of their crops.

    Args:
        labels_B: The main class of each whole image, which is the label where the crop shows none.
    """
    areas_BK = class_areas(classes_BHW, num_classes)
    shows_BK = areas_BK > 0
    has_mask_B = shows_BK.any(1)
    return Batch(
        images_BCHW=images_BCHW,
        labels_B=torch.where(has_mask_B, areas_BK.argmax(1), labels_B),
        background_BHW=((classes_BHW == 0) & has_mask_B[:, None, None]).float(),
        has_mask_B=has_mask_B,
        ids=ids,
        targets_BK=shows_BK.float(),
        classes_BHW=classes_BHW,
    )
