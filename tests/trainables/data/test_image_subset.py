"""A part of a data set, and a validation set of which one half is fitted to."""

import torch

from trainables.config import SpuriousDigits, experiment_from_tree
from trainables.data import DataBundle, Draw, Grouped, Labelled, build_data, build_trial_data, class_and_group
from trainables.data.image_subset import ImageSubset

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
