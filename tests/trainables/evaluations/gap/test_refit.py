"""Heads that are fitted anew: what they are fitted to, and on which images they are measured."""

import pytest
import torch

from trainables.evaluations.gap.refit import LabelledFeatures, Refit, refit, refitted_hits

LABELS = torch.tensor([0, 1] * 6)
SIGN = torch.where(LABELS == 0, -1.0, 1.0).double()


def along(values: torch.Tensor) -> LabelledFeatures:
    """Return features of which the second says nothing, far from 0 and on a scale of their own."""
    return LabelledFeatures(torch.stack([1000 * values + 5000, torch.full_like(values, 3.0)], dim=1), LABELS)


def refitted(train: LabelledFeatures, split: LabelledFeatures, num_classes: int = 2, seed: int = 0) -> Refit:
    found = refit(train, split, num_classes, seed)
    assert found is not None
    return found


def test_features_that_know_the_class_give_all_of_it() -> None:
    assert refitted(along(SIGN), along(SIGN)).on_split_N.tolist() == [1.0] * 12


def test_features_that_mean_the_opposite_in_the_split_are_wrong_by_training_labels_alone() -> None:
    found = refitted(along(SIGN), along(-SIGN))
    assert found.on_train_N.tolist() == [0.0] * 12
    assert found.on_split_N.tolist() == [1.0] * 12


def test_features_that_are_all_the_same_name_one_class() -> None:
    assert refitted_hits(along(0 * SIGN), along(0 * SIGN), 2).tolist() == [1.0, 0.0] * 6


def test_halves_have_half_of_each_class_and_share_no_image() -> None:
    first, second = along(SIGN).halves(seed=3)
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(12))
    assert LABELS[first].tolist().count(0) == LABELS[second].tolist().count(0) == 3


def noisy(seed: int) -> LabelledFeatures:
    generator = torch.Generator().manual_seed(seed)
    return LabelledFeatures(torch.randn(12, 3, generator=generator, dtype=torch.float64), LABELS)


def test_no_image_is_classified_by_a_head_that_was_fitted_to_it() -> None:
    images = noisy(0)
    first, second = images.halves(seed=0)
    found = refitted(noisy(1), images).on_split_N
    assert torch.equal(found[first], refitted_hits(images.rows(second), images.rows(first), 2))
    assert torch.equal(found[second], refitted_hits(images.rows(first), images.rows(second), 2))
    assert refitted_hits(images, images, 2).mean() > found.mean()


def test_images_of_each_class_are_the_first_of_an_order() -> None:
    labels = torch.tensor([0, 1, 0, 1, 0])
    images = LabelledFeatures(torch.arange(5.0).unsqueeze(1), labels)
    chosen = images.of_each_class(torch.tensor([2, 1]), torch.tensor([4, 3, 2, 1, 0]))
    assert (chosen.features_NF.squeeze(1).tolist(), chosen.labels_N.tolist()) == ([4, 2, 3], [0, 0, 1])


def test_a_head_of_training_images_has_as_many_of_each_class_as_the_half() -> None:
    """The half has 2 of the first class and 1 of the second, the training images 2 and 10: all of the first count."""
    labels = torch.tensor([0, 0, 0, 0, 1, 1])
    split = LabelledFeatures(torch.randn(6, 2, generator=torch.Generator().manual_seed(0)).double(), labels)
    train = LabelledFeatures(torch.ones(12, 2).double(), torch.tensor([0] * 2 + [1] * 10))
    found = refitted(train, split)
    assert found.images_per_class == (2 + 1) / 2
    # Features that say nothing leave the class of most images.
    assert found.on_train_N.tolist() == [1, 1, 1, 1, 0, 0]


def test_where_training_images_lack_a_class_both_heads_do() -> None:
    train = along(SIGN).rows((LABELS == 0).nonzero().squeeze(1))
    found = refitted(train, along(SIGN))
    assert found.on_split_N.tolist() == found.on_train_N.tolist() == [1.0, 0.0] * 6
    assert found.images_per_class == 3 / 2


def test_no_class_in_common_and_a_half_without_images_have_no_heads() -> None:
    first, second = ((label == LABELS).nonzero().squeeze(1) for label in (0, 1))
    assert refit(along(SIGN).rows(first), along(SIGN).rows(second), 2, seed=0) is None
    assert refit(along(SIGN), along(SIGN).rows(torch.tensor([0])), 2, seed=0) is None


def saying_nothing(generator: torch.Generator) -> LabelledFeatures:
    return LabelledFeatures(torch.zeros(60, 1).double(), torch.randint(6, (60,), generator=generator))


def test_features_that_say_nothing_are_as_good_from_training_images_as_from_the_split() -> None:
    """Heads fitted to training images as they come are worse: only the split's half has the mix of the other half."""
    matched, as_they_come = [], []
    for seed in range(16):
        generator = torch.Generator().manual_seed(seed)
        train, split = saying_nothing(generator), saying_nothing(generator)
        found = refitted(train, split, 6, seed)
        matched.append(float((found.on_split_N - found.on_train_N).mean()))
        hits = [refitted_hits(train.rows(half), split, 6) for half in train.halves(seed)]
        as_they_come.append(found.on_split_N.mean() - torch.stack(hits).mean())
    biased = torch.stack(as_they_come)
    assert matched == pytest.approx([0.0] * 16)
    assert biased.mean() > 3 * biased.std() / 16**0.5
