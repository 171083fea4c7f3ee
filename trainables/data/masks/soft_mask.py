"""Masks of shares: each pixel says how much of it is object.

B batch, H W image height and width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from trainables.config.masks import MaskFrame
from trainables.data.batch import Batch
from trainables.data.file_reader import FileReader
from trainables.data.image_file import ImageFile
from trainables.data.masks.frame import out_of_frame, size_in_frame
from trainables.data.masks.mask_format import listed_label, read_map, stacked
from trainables.data.masks.values import WHITE, brightness

_SHOWS = 0.5
"""An object shows where it has more than this share of a pixel."""


@dataclass(frozen=True)
class SoftMask:
    """A `MaskFormat` whose map is the background's share of each pixel, float32, and nan where nothing is known."""

    background_value: ClassVar[float] = 1

    frame: MaskFrame = "original"

    def read(self, image_file: ImageFile, size: Sequence[int], reader: FileReader, /) -> Tensor | None:
        """Return `1 - brightness`, HW."""
        expected = size_in_frame(size, self.frame)
        map_HW = read_map(image_file, expected, reader, brightness, lambda values_HW: (WHITE - values_HW) / WHITE)
        return None if map_HW is None else out_of_frame(map_HW, size, self.frame, unknown=np.nan)

    def label(self, image_file: ImageFile, _: Tensor | None, /) -> int:
        """Return the listed label."""
        return listed_label(image_file)

    def batch(
        self, images_BCHW: Tensor, maps: Sequence[Tensor | None], labels_B: Tensor, ids: tuple[str, ...]
    ) -> Batch:
        """Return the batch; a crop without a pixel that is mostly object counts as one without a mask."""
        maps_BHW = stacked(maps, images_BCHW, unknown=np.nan, dtype=torch.float32)
        has_mask_B = (maps_BHW < 1 - _SHOWS).flatten(1).any(1)
        return Batch(
            images_BCHW=images_BCHW,
            labels_B=labels_B,
            background_BHW=torch.where(has_mask_B[:, None, None], maps_BHW.nan_to_num(0), 0),
            has_mask_B=has_mask_B,
            ids=ids,
        )
