"""A batch of images with labels and background maps: all that training and evaluation get from the data.

Shape letters: B batch, K classes, C channels, H W image height and width.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Images, their labels, and where their background is."""

    images_BCHW: Tensor
    """float32 in [0, 1]; from another process uint8, until `in_float32`."""
    labels_B: Tensor
    """int64; of several classes, the one with the most pixels in the crop, or in the image if the crop shows none."""
    background_BHW: Tensor
    """float32 in [0, 1] at image resolution: 1 background, 0 object, ignored or unknown; from another process it may be
    bool."""
    has_mask_B: Tensor
    """bool; False, with a background of zeros, where there is no mask or the crop shows no object."""
    ids: tuple[str, ...]
    """Stable, unique in the data set, safe as file names."""
    targets_BK: Tensor | None = None
    """float32, 1 for each class that the crop shows; None where every image has one label."""
    classes_BHW: Tensor | None = None
    """uint8 at image resolution: k + 1 on class k, 0 on background, 255 on neither; None where targets are."""
    weights_B: Tensor | None = None
    """float32, how much the loss of each image counts; None where all count alike."""
    indices_B: Tensor | None = None
    """int64, the place of each image in its data set; None where the images are of none."""

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch on `device` in float32; from pinned memory to an accelerator the copy does not block."""
        non_blocking = torch.device(device).type != "cpu"
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking), self.ids).in_float32()

    def in_float32(self) -> "Batch":
        """Return the batch with images, of which uint8 is divided by 255, and background in float32."""
        images_BCHW = _float32(self.images_BCHW)
        if self.images_BCHW.dtype == torch.uint8:
            images_BCHW.div_(255)
        return replace(self, images_BCHW=images_BCHW, background_BHW=_float32(self.background_BHW))

    def pin_memory(self) -> "Batch":
        """Return the batch in page-locked memory."""
        return self._map(Tensor.pin_memory, self.ids)

    def split(self, num: int) -> list["Batch"]:
        """Return `num` consecutive micro-batches of equal length.

        Where `num` does not divide the length, lengths differ by one, and no micro-batch is empty.
        """
        if num < 1:
            raise ValueError(f"num = {num}: expected 1 or more")
        quotient, remainder = divmod(len(self), num)
        bounds = [index * quotient + min(index, remainder) for index in range(num + 1)]
        return [self._slice(start, end) for start, end in pairwise(bounds) if start < end]

    def rows(self, which: Tensor) -> "Batch":
        """Return the images of these places in the batch."""
        return self._map(lambda tensor: tensor[which], tuple(self.ids[place] for place in which.tolist()))

    def _slice(self, start: int, end: int) -> "Batch":
        return self._map(lambda tensor: tensor[start:end], self.ids[start:end])

    def _map(self, change: Callable[[Tensor], Tensor], ids: tuple[str, ...]) -> "Batch":
        tensors = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "ids"}
        changed = {name: change(tensor) for name, tensor in tensors.items() if tensor is not None}
        return replace(self, ids=ids, **changed)


def _float32(tensor: Tensor) -> Tensor:
    if tensor.dtype == torch.float32 or tensor.device.type != "cpu":
        return tensor.float()
    values = tensor.view(torch.uint8) if tensor.dtype == torch.bool else tensor  # torch takes a sixth of bool's time.
    # NumPy asks the kernel for huge pages, and torch does not: small ones take a tenth of a batch's time.
    return torch.from_numpy(np.empty(tensor.shape, dtype=np.float32)).copy_(values)
