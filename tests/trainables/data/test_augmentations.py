"""RandAugment, colour jitter and random erasing are torchvision's, and masks follow them."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from trainables.config import Augmentation
from trainables.data.augmentations import FILL, GEOMETRIC, Transform, augmentations
from trainables.data.masks.box_mask import BoxMask
from trainables.data.masks.mask_format import BACKGROUND, IGNORED, OBJECT, ClassMask, ObjectMask
from trainables.data.masks.soft_mask import SoftMask

SEEDS = range(40)
BILINEAR = v2.InterpolationMode.BILINEAR


def only(background: float = BACKGROUND, **fields: Any) -> Transform:
    (step,) = augmentations(Augmentation.model_validate(fields), background=background)
    return step


def scene(size: int = 48) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
    """An image of noise whose object, off the centre, is white."""
    image = torch.randint(40, 160, (3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mask = torch.full((size, size), BACKGROUND, dtype=torch.uint8)
    image[:, 10:30, 14:40] = 255
    mask[10:30, 14:40] = OBJECT
    return tv_tensors.Image(image), tv_tensors.Mask(mask)


def apply(step: Transform, seed: int, mask: tv_tensors.Mask | None = None) -> tuple[Tensor, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        image_CHW, mask_HW = step(scene()[0], scene()[1] if mask is None else mask)
    assert mask_HW is not None
    return image_CHW.as_subclass(Tensor), mask_HW.as_subclass(Tensor)


def seeded(transform: Any, seed: int) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return transform(scene()[0]).as_subclass(Tensor)


def test_nothing_is_added_where_nothing_is_set() -> None:
    assert augmentations(Augmentation(), background=1) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_images_are_those_of_torchvisions_rand_augment(seed: int) -> None:
    theirs = v2.RandAugment(num_ops=3, magnitude=12, interpolation=BILINEAR, fill=list(FILL))
    image, _ = apply(only(rand_augment={"num_ops": 3, "magnitude": 12}), seed)
    assert torch.equal(image, seeded(theirs, seed))


@pytest.mark.parametrize("operation", sorted(GEOMETRIC))
@pytest.mark.parametrize("num_ops", [1, 3])
def test_a_mask_moves_with_its_image(operation: str, num_ops: int) -> None:
    """Of a white object on black, the mask is what is white, but for pixels that are blended."""
    augment = only(rand_augment={"num_ops": num_ops, "magnitude": 20})
    space = augment.__self__._AUGMENTATION_SPACE
    augment.__self__._AUGMENTATION_SPACE = {operation: space[operation]}
    white = tv_tensors.Image((scene()[1] == OBJECT).to(torch.uint8).mul(255).expand(3, -1, -1).clone())
    for seed in range(4):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            image, mask = augment(white, scene()[1])
        assert mask is not None
        blended = ~((image[0] == 0) | (image[0] == 255) | (image[0] == FILL[0]))
        assert torch.equal((image[0] == 255)[~blended], (mask == OBJECT)[~blended])
        assert blended.float().mean() < 0.3
        assert not torch.equal(mask, scene()[1])


def test_every_operation_that_moves_pixels_moves_masks_too() -> None:
    step = only(rand_augment={"num_ops": 1, "magnitude": 30})
    moved = [not torch.equal(apply(step, seed)[1], scene()[1]) for seed in range(200)]
    # Five of fourteen operations move pixels.
    assert 45 < sum(moved) < 100


def test_what_comes_from_outside_is_background() -> None:
    whole = tv_tensors.Mask(torch.full((48, 48), OBJECT, dtype=torch.uint8))
    step = only(rand_augment={"num_ops": 1, "magnitude": 30})
    brought_in = 0
    for seed in SEEDS:
        image, mask = apply(step, seed, whole)
        assert set(mask.unique().tolist()) <= {OBJECT, BACKGROUND}
        outside = mask == BACKGROUND
        brought_in += int(outside.any())
        # Deep within what was brought in, the image has the filling colour.
        deep = torch.nn.functional.max_pool2d((~outside).float()[None], 5, 1, 2)[0] == 0
        assert (image[:, deep] == torch.tensor(FILL, dtype=torch.uint8)[:, None]).all()
    assert brought_in > 5


@pytest.mark.parametrize("seed", SEEDS)
def test_color_jitter_is_torchvisions_and_leaves_masks_alone(seed: int) -> None:
    image, mask = apply(only(color_jitter={"brightness": 0.2, "hue": 0.1}), seed)
    assert torch.equal(image, seeded(v2.ColorJitter(0.2, 0.4, 0.4, 0.1), seed))
    assert torch.equal(mask, scene()[1])


@pytest.mark.parametrize("seed", SEEDS)
def test_erased_pixels_have_one_colour_and_are_background(seed: int) -> None:
    image, mask = apply(only(random_erasing={"probability": 1.0, "scale_min": 0.1, "scale_max": 0.2}), seed)
    before, mask_before = scene()
    erased = (image != before).any(0)
    assert 0.05 < erased.float().mean() < 0.21  # A pixel that had the colour by chance does not count.
    rows, columns = erased.any(1).nonzero(), erased.any(0).nonzero()
    box = (slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1))
    assert (image[:, *box] == torch.tensor(FILL, dtype=torch.uint8).view(3, 1, 1)).all()
    expected = mask_before.as_subclass(Tensor).clone()
    expected[box] = BACKGROUND
    assert torch.equal(mask, expected)


def test_the_share_of_images_with_an_erased_rectangle_is_the_probability() -> None:
    step = only(random_erasing={"probability": 0.25})
    changed = [not torch.equal(apply(step, seed)[0], scene()[0]) for seed in range(200)]
    assert 30 < sum(changed) < 70


def test_masks_of_every_kind_have_their_own_background() -> None:
    assert [kind.background_value for kind in (ObjectMask, BoxMask, ClassMask, SoftMask)] == [1, 1, 0, 1]


@pytest.mark.parametrize(
    ("values", "background"),
    [
        (torch.tensor([0, 3, IGNORED], dtype=torch.uint8), 0),
        (torch.tensor([0.0, 0.4, torch.nan]), 1),
    ],
    ids=["classes", "shares"],
)
def test_other_maps_keep_their_values(values: Tensor, background: float) -> None:
    mask = tv_tensors.Mask(values.repeat_interleave(16).expand(48, 48).clone())
    for step in (only(background, rand_augment={"num_ops": 2}), only(background, random_erasing={"probability": 1.0})):
        for seed in SEEDS:
            _, moved = apply(step, seed, mask)
            assert moved.dtype == values.dtype
            known = {-1.0 if value != value else value for value in [*values.tolist(), background]}
            assert {-1.0 if value != value else value for value in moved.flatten().tolist()} <= known


def test_an_image_without_a_mask_stays_without() -> None:
    for fields in ({"rand_augment": {}}, {"color_jitter": {}}, {"random_erasing": {"probability": 1.0}}):
        _, mask = only(**fields)(scene()[0], None)
        assert mask is None


def test_an_object_that_is_erased_whole_counts_as_no_mask() -> None:
    mask = torch.full((48, 48), BACKGROUND, dtype=torch.uint8)
    mask[24, 24] = OBJECT
    step = only(random_erasing={"probability": 1.0, "scale_min": 0.6, "scale_max": 0.9})
    found = set()
    for seed in SEEDS:
        image, moved = apply(step, seed, tv_tensors.Mask(mask))
        batch = ObjectMask().batch(image[None].float() / 255, [moved], torch.tensor([0]), ("a",))
        found.add(bool(batch.has_mask_B))
        assert bool(batch.has_mask_B) == bool(batch.background_BHW.any())
    assert found == {True, False}
