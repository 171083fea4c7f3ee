from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision import tv_tensors
from torchvision.transforms import v2

from trainables.config import Augmentation
from trainables.data.transforms import Transform, evaluation_transform, resize_mask, training_transform

SEEDS = range(12)


def scene(height: int = 90, width: int = 120) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
    """An image whose red is its mask: an off-centre blob and a corner, so that no flip maps it on itself."""
    mask_HW = torch.zeros(height, width, dtype=torch.bool)
    mask_HW[20:70, 15:60] = True
    mask_HW[:30, 100:] = True
    image_CHW = torch.stack([mask_HW, torch.zeros_like(mask_HW), ~mask_HW]).to(torch.uint8) * 255
    return tv_tensors.Image(image_CHW), tv_tensors.Mask(mask_HW)


def apply(transform: Transform, seed: int) -> tuple[Tensor, Tensor]:
    """Return where the transformed image is red, and the transformed mask."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        image_CHW, mask_HW = transform(*scene())
    assert mask_HW is not None
    return torch.as_tensor(image_CHW)[0] > 127, torch.as_tensor(mask_HW).bool()


def off_edges(mask_HW: Tensor) -> Tensor:
    """Where all neighbours agree with the pixel."""
    values = mask_HW.float()[None, None]
    grown, shrunk = functional.max_pool2d(values, 3, 1, 1), -functional.max_pool2d(-values, 3, 1, 1)
    return (grown == shrunk)[0, 0]


TRANSFORMS = {
    "evaluation": evaluation_transform(40),
    "crop and flip": training_transform(40, Augmentation(crop_scale_min=0.2)),
    "only flip": training_transform(40, Augmentation(crop_scale_min=1)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_mask_follows_the_image(name: str, seed: int) -> None:
    red_HW, mask_HW = apply(TRANSFORMS[name], seed)
    inside = off_edges(red_HW)
    assert red_HW.shape == (40, 40)
    assert inside.float().mean() > 0.7
    assert torch.equal(red_HW[inside], mask_HW[inside])


def test_the_agreement_test_would_see_a_mask_that_is_not_flipped_along() -> None:
    red_HW, mask_HW = apply(TRANSFORMS["evaluation"], 0)
    inside = off_edges(red_HW)
    assert not torch.equal(red_HW[inside], mask_HW.flip(1)[inside])


@pytest.mark.parametrize("seed", SEEDS)
def test_without_resampling_the_mask_follows_to_the_pixel(seed: int) -> None:
    red_HW, mask_HW = apply(training_transform(90, Augmentation(crop_scale_min=1)), seed)
    assert torch.equal(red_HW, mask_HW)


def test_flip_alone_shows_two_images_in_about_even_numbers() -> None:
    straight, _ = apply(evaluation_transform(40), 0)
    flips = []
    for seed in range(100):
        red_HW, _ = apply(TRANSFORMS["only flip"], seed)
        flips.append(torch.equal(red_HW, straight.flip(1)))
        assert flips[-1] != torch.equal(red_HW, straight)
    assert 30 < sum(flips) < 70


def test_no_flip_and_no_crop_is_the_evaluation_transform() -> None:
    transform = training_transform(40, Augmentation(crop_scale_min=1, flip=False))
    for seed in SEEDS:
        assert torch.equal(apply(transform, seed)[0], apply(evaluation_transform(40), 0)[0])


def test_images_are_cropped_as_torchvision_crops_them() -> None:
    """The same numbers of the generator make the same crop."""
    image_CHW, _ = scene()
    whole = v2.Compose([v2.RandomResizedCrop(40, scale=(0.2, 1), antialias=True), v2.RandomHorizontalFlip(0.5)])
    for seed in SEEDS:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            expected = whole(image_CHW)
            torch.manual_seed(seed)
            assert torch.equal(TRANSFORMS["crop and flip"](image_CHW, None)[0], expected)


def test_crop_keeps_at_least_the_configured_share() -> None:
    ramp = torch.arange(100, dtype=torch.uint8).expand(3, 100, 100).clone()
    transform = training_transform(100, Augmentation(crop_scale_min=0.5, flip=False))
    spans = []
    for seed in range(40):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            image_CHW, mask_HW = transform(tv_tensors.Image(ramp), None)
        assert mask_HW is None
        spans.append(int(image_CHW.max()) - int(image_CHW.min()) + 1)
    assert min(spans) >= 60  # Half the area at the widest ratio, 3 to 4, is 61 pixels wide.
    assert min(spans) < 85


def test_evaluation_keeps_the_central_square() -> None:
    image_CHW = torch.zeros(3, 40, 80, dtype=torch.uint8)
    image_CHW[:, :, 20:60] = 200
    transformed, _ = evaluation_transform(40)(tv_tensors.Image(image_CHW), None)
    assert (transformed == 200).all()


def lines(height: int, width: int) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
    """An image of random pixels, and a mask of its bright ones."""
    image_CHW = torch.randint(256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return tv_tensors.Image(image_CHW), tv_tensors.Mask(image_CHW[0] > 127)


def enlarged_whole(image_CHW: tv_tensors.Image, mask_HW: tv_tensors.Mask, size: int) -> Any:
    resized_CHW = v2.Resize(size, antialias=True)(image_CHW)
    return v2.CenterCrop(size)(resized_CHW, resize_mask(mask_HW, resized_CHW.shape[1:]))


@pytest.mark.parametrize("size", [(40, 40), (31, 57), (57, 31), (5, 40), (40, 5), (100, 33)])
def test_images_of_ordinary_shape_are_cropped_to_the_bit_as_a_whole(size: tuple[int, int]) -> None:
    scene = lines(*size)
    for tensor, expected in zip(evaluation_transform(40)(*scene), enlarged_whole(*scene, 40), strict=True):
        assert torch.equal(tensor, expected)


@pytest.mark.parametrize("size", [(4, 64), (64, 4), (5, 81), (81, 5)])
def test_a_longer_image_shows_the_same_middle(size: tuple[int, int]) -> None:
    scene = lines(*size)
    image_CHW, mask_HW = evaluation_transform(40)(*scene)
    expected_CHW, expected_HW = enlarged_whole(*scene, 40)
    assert (image_CHW.int() - expected_CHW.int()).abs().max() <= 1
    assert mask_HW is not None
    assert torch.equal(mask_HW, expected_HW)


class Largest(TorchDispatchMode):
    """Notes the number of values of the largest tensor that is made."""

    values = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.values = max([self.values, *(part.numel() for part in (out,) if isinstance(part, Tensor))])
        return out


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1)])
def test_a_line_of_pixels_is_not_enlarged_as_a_whole(size: tuple[int, int]) -> None:
    scene = lines(*size)
    with Largest() as largest:
        image_CHW, _ = evaluation_transform(40)(*scene)
    assert image_CHW.shape == (3, 40, 40)
    assert largest.values <= 3 * 40 * 40 * 8
