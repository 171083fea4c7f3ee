"""From the config of one's own masks to the `MaskFormat` that reads them."""

from functools import partial

import torch
from torch import Tensor

from trainables.config import BoxMasks, EqualMasks, FileMasks, NonzeroMasks, SoftMasks, ThresholdMasks
from trainables.data.imagenet_s import mask_ids
from trainables.data.masks.box_mask import BoxMask
from trainables.data.masks.mask_format import IGNORED, MaskFormat, ObjectMask
from trainables.data.masks.soft_mask import SoftMask
from trainables.data.masks.values import grey_numbers, is_lit, numbers


def mask_format(masks: FileMasks | BoxMasks | None) -> MaskFormat:
    """Return what reads the masks of a config's `data.masks`."""
    match masks:
        case None:
            return ObjectMask()
        case BoxMasks():
            return BoxMask()
        case SoftMasks():
            return SoftMask(masks.frame)
        case NonzeroMasks():
            return ObjectMask(is_lit, frame=masks.frame)
        case ThresholdMasks():
            return ObjectMask(grey_numbers, partial(background_below, above=masks.above), masks.frame)
        case EqualMasks():
            values = numbers if masks.kind == "equal" else mask_ids
            return ObjectMask(values, partial(background_of_others, ignore=masks.ignore), masks.frame)


def background_below(values_HW: Tensor, _: int | None, *, above: int) -> Tensor:
    """Return OBJECT where a value is above the threshold and BACKGROUND elsewhere, uint8."""
    return (values_HW <= above).to(torch.uint8)


def background_of_others(values_HW: Tensor, wanted: int | None, *, ignore: int | None) -> Tensor:
    """Return OBJECT on the wanted value, IGNORED on the value to ignore, and BACKGROUND elsewhere, uint8."""
    assert wanted is not None, "the config or the table says which value is the object"
    map_HW = (values_HW != wanted).to(torch.uint8)
    return map_HW if ignore is None else map_HW.masked_fill(values_HW == ignore, IGNORED)
