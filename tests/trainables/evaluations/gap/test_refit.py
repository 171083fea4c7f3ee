"""Heads that are fitted anew: what they are fitted to, and on which images they are measured."""

import torch

from trainables.evaluations.gap.refit import LabelledFeatures, fitted_to_halves, fitted_to_other_half, refitted_hits

LABELS = torch.tensor([0, 1] * 6)
SIGN = torch.where(LABELS == 0, -1.0, 1.0).double()


def along(values: torch.Tensor) -> LabelledFeatures:
    """Return features of which the second says nothing, far from 0 and on a scale of their own."""
    return LabelledFeatures(torch.stack([1000 * values + 5000, torch.full_like(values, 3.0)], dim=1), LABELS)


def test_features_that_know_the_class_give_all_of_it() -> None:
    assert fitted_to_other_half(along(SIGN), 2, seed=0).tolist() == [1.0] * 12


def test_features_that_mean_the_opposite_in_the_split_are_wrong_by_training_labels_alone() -> None:
    train, split = along(SIGN), along(-SIGN)
    assert fitted_to_halves(train, split, 2, seed=0).tolist() == [0.0] * 12
    assert fitted_to_other_half(split, 2, seed=0).tolist() == [1.0] * 12


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
    found = fitted_to_other_half(images, 2, seed=0)
    assert torch.equal(found[first], refitted_hits(images.rows(second), images.rows(first), 2))
    assert torch.equal(found[second], refitted_hits(images.rows(first), images.rows(second), 2))
    assert refitted_hits(images, images, 2).mean() > found.mean()


def test_each_half_of_the_training_images_makes_a_head() -> None:
    train, split = noisy(0), noisy(1)
    hits = [refitted_hits(train.rows(half), split, 2) for half in train.halves(seed=0)]
    assert torch.equal(fitted_to_halves(train, split, 2, seed=0), (hits[0] + hits[1]) / 2)
    assert not torch.equal(*hits)
