"""New backgrounds for objects: what they change, what they leave, and what a network then learns."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.trainables.training.tiny_batches import assert_equal, batch_of, copy_of, object_at, tensors_of
from trainables.config import (
    BackgroundSwap,
    BinaryContrastive,
    BinaryCrossEntropy,
    Contrastive,
    CrossEntropy,
    CutMix,
    ObjectOnly,
)
from trainables.data import Batch
from trainables.data.backgrounds import tiled_backgrounds
from trainables.data.masks.mask_format import batch_of_classes
from trainables.training.mixing import build_mixing
from trainables.training.new_backgrounds import (
    add_background_noise,
    draw_lenders,
    fill_backgrounds,
    swap_backgrounds,
)

EVERYTHING = slice(None)
TOP = object_at(slice(0, 2), EVERYTHING)
CORNER = object_at(slice(0, 2), slice(0, 2))
FULL = torch.zeros(4, 4)
"""An object that leaves no background."""
BINARY = pytest.mark.parametrize("kind", [BinaryCrossEntropy, BinaryContrastive])


def mixed(batch: Batch, objective: Any, *, seed: int = 0) -> Batch:
    torch.manual_seed(seed)
    (found,) = build_mixing(objective)(batch)
    return found.batch


def of_several_classes() -> Batch:
    """Two images of 2 x 2 pixels, grey 0.25 and 0.75; the first shows classes 0 and 1 and a void pixel."""
    classes = torch.tensor([[[1, 2], [0, 255]], [[2, 2], [0, 0]]], dtype=torch.uint8)
    images = torch.tensor([0.25, 0.75]).view(2, 1, 1, 1).expand(2, 3, 2, 2).clone()
    return batch_of_classes(images, classes, torch.tensor([0, 1]), ("a", "b"), num_classes=3).in_float32()


def test_noise_leaves_the_object_and_images_without_a_mask_as_they_are() -> None:
    batch = batch_of(TOP, None, CORNER)
    before = copy_of(batch)
    noisy = add_background_noise(batch, 0.3)
    changed_BHW = (noisy.images_BCHW != batch.images_BCHW).any(1)
    assert torch.equal(changed_BHW, batch.background_BHW == 1)
    assert_equal(batch, before)
    assert_equal(noisy, Batch(noisy.images_BCHW, *tensors_of(batch)[1:], ids=batch.ids))


@BINARY
def test_noise_lies_on_what_is_no_object_of_several_and_keeps_their_labels(kind: Any) -> None:
    batch = of_several_classes()
    noisy = mixed(batch, kind(background_noise=0.2))
    changed_BHW = (noisy.images_BCHW != batch.images_BCHW).any(1)
    assert torch.equal(changed_BHW, batch.classes_BHW == 0)
    assert noisy.targets_BK is batch.targets_BK
    assert noisy.classes_BHW is batch.classes_BHW


def test_noise_has_its_deviation_and_counts_by_the_share_of_background() -> None:
    background = torch.full((2, 256, 256), 1.0)
    background[1] = 0.25
    images = torch.full((2, 3, 256, 256), 0.5)
    batch = Batch(images, torch.tensor([0, 1]), background, torch.ones(2, dtype=torch.bool), ("a", "b"))
    torch.manual_seed(0)
    noise = add_background_noise(batch, 0.1).images_BCHW - images
    torch.testing.assert_close(noise.std((1, 2, 3)), torch.tensor([0.1, 0.025]), rtol=0.02, atol=0)
    assert noise.mean().abs() < 1e-3


def test_noise_stays_within_black_and_white() -> None:
    noisy = add_background_noise(batch_of(TOP, CORNER), 5.0).images_BCHW
    assert noisy.min() == 0
    assert noisy.max() == 1


class TestSwap:
    def test_an_object_stands_before_its_lenders_background(self) -> None:
        """Images 0 and 1 are exchanged; what is not object is 0.2 in the one and 0.1 in the other."""
        batch = batch_of(TOP, CORNER)
        before = copy_of(batch)
        swapped = swap_backgrounds(batch, torch.tensor([1, 0]), torch.tensor([True, True]))
        assert torch.equal(swapped.images_BCHW[0, 0], torch.where(TOP == 0, 0.1, 0.2))
        assert torch.equal(swapped.images_BCHW[1, 2], torch.where(CORNER == 0, 0.2, 0.1))
        assert_equal(batch, before)
        assert_equal(swapped, Batch(swapped.images_BCHW, *tensors_of(batch)[1:], ids=batch.ids))

    def test_a_lenders_object_does_not_show(self) -> None:
        """Its object of 0.9 lies where the other's does not: its place shows 0.2, the strip next to it."""
        batch = batch_of(object_at(slice(3, 4), slice(3, 4)), CORNER)
        batch.images_BCHW[1, :, :2, :2] = 0.9
        swapped = swap_backgrounds(batch, torch.tensor([1, 0]), torch.tensor([True, False]))
        expected = torch.full((4, 4), 0.2)
        expected[3, 3] = 0.1
        assert torch.equal(swapped.images_BCHW[0, 0], expected)
        assert torch.equal(swapped.images_BCHW[1], batch.images_BCHW[1])

    def test_images_without_a_mask_and_with_nothing_to_lend_neither_lend_nor_lose_anything(self) -> None:
        batch = batch_of(None, FULL, CORNER)
        everything = torch.tensor([True, True, True])
        assert torch.equal(swap_backgrounds(batch, torch.tensor([2, 2, 0]), everything).images_BCHW, batch.images_BCHW)
        assert torch.equal(swap_backgrounds(batch, torch.tensor([2, 2, 1]), everything).images_BCHW, batch.images_BCHW)

    def test_soft_masks_blend(self) -> None:
        """A pixel of the object by a quarter is a quarter of 0.1 and three quarters of 0.2."""
        soft = CORNER.clone()
        soft[0, 0] = 0.75
        swapped = swap_backgrounds(batch_of(soft, CORNER), torch.tensor([1, 0]), torch.tensor([True, True]))
        assert swapped.images_BCHW[0, 0, 0, 0] == pytest.approx(0.25 * 0.1 + 0.75 * 0.2)
        assert swapped.background_BHW[0, 0, 0] == 0.75

    def test_a_batch_is_swapped_as_a_loop_does_it(self) -> None:
        generator = torch.Generator().manual_seed(3)
        background_BHW = (torch.rand(20, 5, 6, generator=generator, dtype=torch.float64) * 1.2).clamp(max=1)
        background_BHW[:, 0] = 1
        images_BCHW = torch.rand(20, 3, 5, 6, generator=generator, dtype=torch.float64)
        batch = Batch(images_BCHW, torch.arange(20), background_BHW, torch.ones(20).bool(), tuple(map(str, range(20))))
        lender_B, is_chosen_B = torch.randint(20, (20,), generator=generator), torch.arange(20) % 3 > 0
        swapped = swap_backgrounds(batch, lender_B, is_chosen_B).images_BCHW
        lent = tiled_backgrounds(images_BCHW, 1 - background_BHW)
        for image in range(20):
            for channel, row, column in torch.cartesian_prod(torch.arange(3), torch.arange(5), torch.arange(6)):
                own, share = images_BCHW[image, channel, row, column], background_BHW[image, row, column]
                other = lent[lender_B[image], channel, row, column] if is_chosen_B[image] else own
                expected = (1 - share) * own + share * other
                torch.testing.assert_close(swapped[image, channel, row, column], expected, rtol=0, atol=1e-15)

    @BINARY
    def test_objects_of_several_classes_keep_their_labels_and_void_pixels(self, kind: Any) -> None:
        """The first image's background is one pixel, for which the second lends 0.75; the second keeps its own."""
        batch = of_several_classes()
        swapped = swap_backgrounds(batch, torch.tensor([1, 1]), torch.tensor([True, True]))
        assert swapped.images_BCHW[0, 0].tolist() == [[0.25, 0.25], [0.75, 0.25]]
        assert swapped.targets_BK is batch.targets_BK
        assert swapped.classes_BHW is batch.classes_BHW
        # Alone the second has a strip without any object, so every image gets its background.
        assert torch.equal(mixed(batch, kind(background_swap=BackgroundSwap())).images_BCHW, swapped.images_BCHW)


class TestLenders:
    def test_every_image_that_can_lend_is_as_likely_itself_included(self) -> None:
        """Of 4000 draws each of the four lenders gets 1000, within four standard deviations."""
        batch = many(4000, can_lend=4)
        torch.manual_seed(0)
        counts = draw_lenders(batch, of_same_class=False).bincount(minlength=5).tolist()
        assert counts[:4] == pytest.approx([1000] * 4, abs=4 * (4000 * 3 / 16) ** 0.5)
        assert sum(counts[:4]) == 4000

    def test_a_lender_of_the_same_class_is_drawn_among_those(self) -> None:
        """Classes 0 and 1 have two lenders each, class 2 has none: its images name themselves."""
        batch = replace(many(400, can_lend=4), labels_B=torch.arange(400) % 2)
        batch.labels_B[-1] = 2
        lender_B = draw_lenders(batch, of_same_class=True)
        assert lender_B[-1] == 399
        assert torch.equal(batch.labels_B[lender_B[:-1]], batch.labels_B[:-1])
        assert set(lender_B[:-1].tolist()) == {0, 1, 2, 3}

    def test_where_none_can_lend_all_name_themselves(self) -> None:
        assert draw_lenders(batch_of(None, FULL), of_same_class=False).tolist() == [0, 1]


def many(num: int, *, can_lend: int) -> Batch:
    """Return images of which the first `can_lend` have a background to lend."""
    background = torch.zeros(num, 1, 2)
    background[:can_lend, 0, 1] = 1
    every = torch.ones(num, dtype=torch.bool)
    images = torch.rand(num, 3, 1, 2, generator=torch.Generator().manual_seed(7))
    return Batch(images, torch.arange(num), background, every, tuple(map(str, range(num))))


def test_a_background_is_filled_by_its_share() -> None:
    """A pixel of the object by a quarter is a quarter of 0.1 and three quarters grey."""
    soft = CORNER.clone()
    soft[0, 0] = 0.75
    batch = batch_of(soft, None, CORNER)
    filled = fill_backgrounds(batch, 0.5, torch.tensor([True, True, False])).images_BCHW
    assert filled[0, 0, 0].tolist() == pytest.approx([0.25 * 0.1 + 0.75 * 0.5, 0.1, 0.5, 0.5])
    assert torch.equal(filled[1:], batch.images_BCHW[1:])


@pytest.mark.parametrize(("fill", "value"), [("black", 0.0), ("grey", 0.5)])
def test_the_fill_has_its_grey_value(fill: Any, value: float) -> None:
    batch = batch_of(TOP, None)
    filled = mixed(batch, CrossEntropy(object_only=ObjectOnly(fill=fill)))
    assert torch.equal(filled.images_BCHW[0, 0], torch.where(TOP == 0, 0.1, value))
    assert_equal(filled, Batch(filled.images_BCHW, *tensors_of(batch)[1:], ids=batch.ids))


def test_shares_of_the_images_are_swapped_filled_and_left() -> None:
    """Half of 4000 get another background, a third is filled, a sixth is left, within four standard deviations."""
    batch = many(4000, can_lend=4000)
    objective = Contrastive(
        background_swap=BackgroundSwap(probability=1 / 2), object_only=ObjectOnly(probability=1 / 3)
    )
    found_B2 = mixed(batch, objective).images_BCHW[:, 0, 0]
    assert torch.equal(found_B2[:, 0], batch.images_BCHW[:, 0, 0, 0])
    filled_B, left_B = found_B2[:, 1] == 0, found_B2[:, 1] == batch.images_BCHW[:, 0, 0, 1]
    assert filled_B.sum().item() == pytest.approx(4000 / 3, abs=4 * (4000 * 2 / 9) ** 0.5)
    assert left_B.sum().item() == pytest.approx(4000 / 6, abs=4 * (4000 * 5 / 36) ** 0.5)


def test_noise_lies_on_the_new_background() -> None:
    batch = batch_of(TOP, CORNER)
    objective = Contrastive(object_only=ObjectOnly(fill="grey"), background_noise=0.1)
    found = mixed(batch, objective).images_BCHW
    torch.manual_seed(0)
    torch.rand(2)  # The number of each image that decides its background.
    expected = add_background_noise(fill_backgrounds(batch, 0.5, torch.tensor([True, True])), 0.1)
    assert torch.equal(found, expected.images_BCHW)
    assert not torch.equal(found, fill_backgrounds(batch, 0.5, torch.tensor([True, True])).images_BCHW)


def test_boxes_are_pasted_with_their_new_background() -> None:
    batch = batch_of(TOP, CORNER)
    torch.manual_seed(0)
    own, _ = build_mixing(CrossEntropy(object_only=ObjectOnly(), cutmix=CutMix(probability=1.0)))(batch)
    filled = fill_backgrounds(batch, 0.0, torch.tensor([True, True])).images_BCHW
    assert torch.all((own.batch.images_BCHW == filled) | (own.batch.images_BCHW == filled.roll(1, 0)))


def test_the_seed_decides_the_backgrounds() -> None:
    batch = many(16, can_lend=8)
    objective = Contrastive(background_swap=BackgroundSwap(probability=0.8))
    one, same, other = (mixed(batch, objective, seed=seed).images_BCHW for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def weights_learnt(objective: Any) -> list[float]:
    """Train a linear network on two pixels: an object that is right, and a background that agrees with it.

    The object's pixel is 0.4 or 0.6 by class and the background's 0 or 1, which is easier to learn. Return the weights
    of both, of which that of the background starts at 0.25.
    """
    labels_B = torch.arange(256) % 2
    pixels_B2 = torch.stack([0.4 + 0.2 * labels_B, labels_B], dim=1)
    batch = replace(many(256, can_lend=256), images_BCHW=pixels_B2.view(-1, 1, 1, 2).expand(-1, 3, -1, -1))
    batch = replace(batch, labels_B=labels_B)
    weights = torch.tensor([0.0, 0.25, 0.0], requires_grad=True)
    mix, optimiser = build_mixing(objective), torch.optim.SGD([weights], lr=2)
    torch.manual_seed(0)
    for _ in range(300):
        (found,) = mix(batch)
        logits_B = found.batch.images_BCHW[:, 0, 0] @ weights[:2] + weights[2]
        optimiser.zero_grad()
        functional.binary_cross_entropy_with_logits(logits_B, labels_B.float()).backward()
        optimiser.step()
    return weights[:2].tolist()


class TestTwoPixels:
    """A world of two pixels in which the background tells the label."""

    def test_cross_entropy_learns_the_background(self) -> None:
        of_object, of_background = weights_learnt(CrossEntropy())
        assert of_background > 4 * of_object > 0

    def test_a_random_background_is_not_learnt(self) -> None:
        of_object, of_background = weights_learnt(CrossEntropy(background_swap=BackgroundSwap()))
        assert of_object > 5
        assert abs(of_background) < 0.05 * of_object

    def test_a_background_of_the_same_class_is_learnt_as_before(self) -> None:
        same = CrossEntropy(background_swap=BackgroundSwap(backgrounds="same"))
        assert weights_learnt(same) == weights_learnt(CrossEntropy())

    def test_a_black_background_has_no_gradient(self) -> None:
        of_object, of_background = weights_learnt(CrossEntropy(object_only=ObjectOnly()))
        assert of_object > 5
        assert of_background == 0.25
