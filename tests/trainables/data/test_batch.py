import pickle
from dataclasses import replace

import pytest
import torch

from trainables.data import Batch


def batch_of(num: int) -> Batch:
    return Batch(
        images_BCHW=torch.arange(num, dtype=torch.float32).view(num, 1, 1, 1).expand(num, 3, 2, 2),
        labels_B=torch.arange(num),
        background_BHW=torch.zeros(num, 2, 2),
        has_mask_B=torch.arange(num) % 2 == 0,
        ids=tuple(f"p{index}" for index in range(num)),
    )


def several_labels(num: int) -> Batch:
    return replace(
        batch_of(num),
        targets_BK=torch.arange(num * 3).view(num, 3).float(),
        classes_BHW=torch.arange(num, dtype=torch.uint8).view(num, 1, 1).expand(num, 2, 2),
    )


def test_split_into_equal_consecutive_parts() -> None:
    parts = batch_of(6).split(3)
    assert [part.ids for part in parts] == [("p0", "p1"), ("p2", "p3"), ("p4", "p5")]
    assert [part.labels_B.tolist() for part in parts] == [[0, 1], [2, 3], [4, 5]]
    assert parts[1].images_BCHW[:, 0, 0, 0].tolist() == [2, 3]
    assert parts[2].has_mask_B.tolist() == [True, False]
    assert parts[0].background_BHW.shape == (2, 2, 2)


@pytest.mark.parametrize(("num", "parts", "lengths"), [(5, 2, [3, 2]), (7, 3, [3, 2, 2]), (2, 4, [1, 1]), (0, 2, [])])
def test_split_of_a_batch_that_lost_images_has_no_empty_part(num: int, parts: int, lengths: list[int]) -> None:
    split = batch_of(num).split(parts)
    assert [len(part) for part in split] == lengths
    assert sum((part.ids for part in split), ()) == batch_of(num).ids


def test_split_refuses_no_parts() -> None:
    with pytest.raises(ValueError, match="num = 0: expected 1 or more"):
        batch_of(2).split(0)


def test_what_several_labels_add_is_split_and_moved_along() -> None:
    batch = several_labels(5)
    first, second = batch.split(2)
    assert first.targets_BK is not None
    assert second.targets_BK is not None
    assert second.classes_BHW is not None
    assert torch.equal(torch.cat([first.targets_BK, second.targets_BK]), torch.arange(15.0).view(5, 3))
    assert second.classes_BHW[:, 0, 0].tolist() == [3, 4]
    moved = batch.to("meta")
    assert moved.targets_BK is not None
    assert moved.classes_BHW is not None
    assert {moved.targets_BK.device.type, moved.classes_BHW.device.type} == {"meta"}
    assert batch_of(2).to("meta").targets_BK is None
    copy = pickle.loads(pickle.dumps(batch))
    assert torch.equal(copy.classes_BHW, batch.classes_BHW)


def test_to_moves_every_tensor_and_leaves_the_batch() -> None:
    batch = batch_of(2)
    moved = batch.to("meta")
    tensors = (moved.images_BCHW, moved.labels_B, moved.background_BHW, moved.has_mask_B)
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert batch.images_BCHW.device.type == "cpu"
    assert moved.ids == batch.ids


def test_bytes_become_floats_once() -> None:
    batch = batch_of(2)
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8)
    sent = replace(batch, images_BCHW=pixels.view(1, 1, 1, 3), background_BHW=torch.tensor([[[True, False, True]]]))
    for arrived in (sent.in_float32(), sent.to("cpu"), sent.in_float32().in_float32()):
        assert torch.equal(arrived.images_BCHW, torch.tensor([[[[0.0, 51 / 255, 1.0]]]]))
        assert torch.equal(arrived.background_BHW, torch.tensor([[[1.0, 0.0, 1.0]]]))
    assert torch.equal(sent.images_BCHW.flatten(), pixels)
    assert batch.in_float32().images_BCHW is batch.images_BCHW


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_pin_memory_pins_every_tensor() -> None:
    pinned = several_labels(2).pin_memory()
    tensors = (pinned.images_BCHW, pinned.labels_B, pinned.background_BHW, pinned.has_mask_B)
    assert all(tensor.is_pinned() for tensor in (*tensors, pinned.targets_BK, pinned.classes_BHW))
    assert torch.equal(pinned.to("cuda").to("cpu").labels_B, pinned.labels_B)


def test_frozen_and_picklable() -> None:
    batch = batch_of(2)
    with pytest.raises(AttributeError):
        batch.ids = ()  # type: ignore[misc]
    assert torch.equal(pickle.loads(pickle.dumps(batch)).labels_B, batch.labels_B)
