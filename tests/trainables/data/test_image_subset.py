"""A part of a data set, and a validation set of which one half is fitted to."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trainables.config import ConfigError, SpuriousDigits, experiment_from_tree
from trainables.data import DataBundle, Draw, Grouped, ImageSet, Labelled, build_data, build_trial_data, class_and_group
from trainables.data.image_subset import ImageSubset, with_images_per_class

DIGITS = SpuriousDigits(num_train=20, num_test=400, image_size=32)


def halved() -> DataBundle:
    tree = {"data": DIGITS.model_dump(), "training": {"batch_size": 4}, "objective": {"dfr": {"fit_on": "validation"}}}
    return build_trial_data(experiment_from_tree(tree))


def test_a_subset_numbers_its_images_anew() -> None:
    whole = build_data(DIGITS).val
    subset = ImageSubset(whole, torch.tensor([3, 7, 12]))
    batch = subset.__getitems__([Draw(2, 0), Draw(0, 0)])
    expected = whole.__getitems__([Draw(12, 0), Draw(3, 0)])
    assert batch.ids == expected.ids == ("val-00012", "val-00003")
    assert batch.indices_B is not None
    assert batch.indices_B.tolist() == [2, 0]
    assert torch.equal(batch.images_BCHW, expected.images_BCHW)
    assert isinstance(subset, Grouped)
    assert isinstance(subset, Labelled)
    assert isinstance(whole, Grouped)
    groups = whole.groups()
    assert groups is not None
    found = subset.groups()
    assert found is not None
    assert found.tolist() == groups[[3, 7, 12]].tolist()
    assert subset.labels_N[[2, 0]].tolist() == batch.labels_B.tolist()
    assert (len(subset), subset.group_names, subset.class_names) == (3, whole.group_names, whole.class_names)


def test_half_of_each_class_and_group_is_fitted_to_and_validates_nothing() -> None:
    whole, data = build_data(DIGITS), halved()
    assert data.fit is not None
    fit, val = (each.__getitems__([Draw(index, 0) for index in range(len(each))]).ids for each in (data.fit, data.val))
    assert not set(fit) & set(val)
    assert sorted((*fit, *val)) == [f"val-{index:05d}" for index in range(400)]
    counts = torch.bincount(class_and_group(whole.val), minlength=20)
    assert torch.bincount(class_and_group(data.fit), minlength=20).tolist() == (counts // 2).tolist()
    assert data.test is whole.test
    assert data.train is whole.train
    assert len({data.fit.digest(), data.val.digest(), whole.val.digest()}) == 3
    assert [data.fit.digest(), data.val.digest()] == [each.digest() for each in (halved().fit, halved().val) if each]


def test_without_such_a_fit_all_validate() -> None:
    tree = {"data": DIGITS.model_dump(), "training": {"batch_size": 4}}
    data = build_trial_data(experiment_from_tree(tree))
    assert data.fit is None
    assert data.val is build_data(DIGITS).val


def ids(images: ImageSet) -> tuple[str, ...]:
    return images.__getitems__([Draw(index, 0) for index in range(len(images))]).ids


def test_so_many_images_of_each_class_are_trained_on_and_fewer_are_a_part_of_more() -> None:
    whole = build_data(SpuriousDigits(num_train=200, num_test=20, image_size=32))
    few, more = (with_images_per_class(whole, num, seed=3) for num in (2, 5))
    assert isinstance(few.train, Labelled)
    assert torch.bincount(few.train.labels_N).tolist() == [2] * 10
    assert ids(few.train) == ids(few.train_unaugmented)
    assert set(ids(few.train)) < set(ids(more.train)) < set(ids(whole.train))
    assert ids(few.train) != ids(with_images_per_class(whole, 2, seed=4).train)
    assert (few.val, few.test) == (whole.val, whole.test)
    assert few.train.digest() != more.train.digest()


def test_a_class_with_fewer_images_is_named() -> None:
    whole = build_data(DIGITS)
    few = "1 has 2, 2 has 1, 5 has 2, 6 has 1, 8 has 2 ..."
    with pytest.raises(
        ConfigError, match=rf"= 3 is more than some classes have training images: {re.escape(few)}; lower"
    ):
        with_images_per_class(whole, 3, seed=0)


def test_images_of_several_labels_or_of_several_draws_are_refused() -> None:
    whole = build_data(DIGITS)
    repeated = ImageSubset(whole.train, torch.arange(10))
    for data, why in (
        (replace(whole, several_labels=True), "images have several labels"),
        (replace(whole, train=repeated), "data.oversample_masked shows some several times"),
    ):
        with pytest.raises(
            ConfigError, match=f"images_per_class = 1 counts images of one label.*{why}; set it to null"
        ):
            with_images_per_class(data, 1, seed=0)


def test_a_trial_trains_on_what_its_config_says(pet_root: Path) -> None:
    data = {"kind": "oxford_pet", "root": str(pet_root), "labels": "species", "validation": {"source": "held_out"}}
    config = experiment_from_tree({"data": {**data, "images_per_class": 1}, "training": {"batch_size": 2}})
    assert len(build_data(config.data).train) == 4
    assert [len(images) for images in build_trial_data(config).named().values()] == [2, 3]


def test_masks_are_kept_of_the_images_that_are_trained_on(pet_root: Path) -> None:
    data = {"kind": "oxford_pet", "root": str(pet_root), "labels": "species", "validation": {"source": "held_out"}}
    for seed in range(6):
        subset = {"images_per_class": 1, "mask_subset": {"share": 0.01, "seed": seed}}
        config = experiment_from_tree({"data": {**data, **subset}, "training": {"batch_size": 2}})
        train = build_trial_data(config).train
        assert train.__getitems__([Draw(0, 0), Draw(1, 0)]).has_mask_B.all(), "each class keeps at least one mask"


def test_training_images_have_the_same_masks_without_augmentation() -> None:
    data = {**DIGITS.model_dump(), "num_train": 100, "mask_subset": {"share": 0.2}}
    bundle = build_trial_data(experiment_from_tree({"data": data, "training": {"batch_size": 4}}))
    draws = [Draw(index, index) for index in range(100)]
    augmented, plain = (images.__getitems__(draws).has_mask_B for images in (bundle.train, bundle.train_unaugmented))
    assert 0 < plain.sum() < 100
    assert torch.equal(augmented, plain)
