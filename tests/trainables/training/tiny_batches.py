"""Batches of tiny images with masks, to work out by hand."""

import torch
from torch import Tensor

from trainables.data import Batch


def batch_of(*backgrounds: Tensor | None, labels: tuple[int, ...] = (0, 1, 2, 3), size: int = 4) -> Batch:
    """Return an image for each background, of which None is no mask; image i is (i + 1) / 10 all over."""
    num = len(backgrounds)
    value_B = (torch.arange(num) + 1) / 10
    return Batch(
        images_BCHW=value_B.view(-1, 1, 1, 1).expand(-1, 3, size, size).clone(),
        labels_B=torch.tensor(labels[:num]),
        background_BHW=torch.stack([torch.zeros(size, size) if each is None else each for each in backgrounds]),
        has_mask_B=torch.tensor([each is not None for each in backgrounds]),
        ids=tuple("abcd"[:num]),
    )


def object_at(rows: slice, columns: slice, size: int = 4) -> Tensor:
    background = torch.ones(size, size)
    background[rows, columns] = 0
    return background


def copy_of(batch: Batch) -> Batch:
    return Batch(*(tensor.clone() for tensor in tensors_of(batch)), ids=batch.ids)


def tensors_of(batch: Batch) -> tuple[Tensor, ...]:
    return batch.images_BCHW, batch.labels_B, batch.background_BHW, batch.has_mask_B


def assert_equal(one: Batch, other: Batch) -> None:
    assert one.ids == other.ids
    assert all(torch.equal(*pair) for pair in zip(tensors_of(one), tensors_of(other), strict=True))
