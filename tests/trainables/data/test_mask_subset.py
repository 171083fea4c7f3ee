"""A training set of which only some images show their masks."""

from typing import Any

import numpy as np
import pytest
import torch

from trainables.config import ConfigError, config_hash, experiment_from_tree
from trainables.data import Batch, DataBundle, Draw, Grouped, ImageSet, Labelled, build_trial_data, training_batches
from trainables.data.mask_subset import kept

DIGITS = {"num_train": 200, "num_test": 20, "image_size": 32}


def data_of(**fields: Any) -> DataBundle:
    return build_trial_data(experiment_from_tree({"data": {**DIGITS, **fields}}))


def fetch(images: ImageSet) -> Batch:
    return images.__getitems__([Draw(index, index) for index in range(len(images))])


def test_each_class_keeps_its_share_and_at_least_one() -> None:
    labels_N = np.repeat([0, 1, 2], [40, 10, 2])
    assert np.bincount(labels_N, weights=kept(labels_N, share=0.1, seed=0)).tolist() == [4, 1, 1]
    assert kept(labels_N, share=1, seed=0).all()


def test_a_smaller_share_is_part_of_a_larger_one_and_another_seed_chooses_others() -> None:
    labels_N = np.arange(300) % 3
    tenth, third = (kept(labels_N, share=share, seed=0) for share in (0.1, 1 / 3))
    assert (tenth.sum(), third.sum(), (tenth & third).sum()) == (30, 99, 30)
    assert (tenth != kept(labels_N, share=0.1, seed=1)).any()


@pytest.mark.parametrize("processes", [0, 1])
def test_the_other_images_look_as_if_they_had_no_mask(processes: int) -> None:
    whole, few = data_of().train, data_of(mask_subset={"share": 0.2, "seed": 3}).train
    assert isinstance(whole, Labelled)
    is_kept_N = torch.from_numpy(kept(whole.labels_N.numpy(), share=0.2, seed=3))
    (batch,) = training_batches(few, batch_size=200, seed=0, epoch=1, processes=processes)
    (expected,) = training_batches(whole, batch_size=200, seed=0, epoch=1)
    assert expected.indices_B is not None
    is_kept_B = is_kept_N[expected.indices_B]
    assert batch.ids == expected.ids
    assert torch.equal(batch.images_BCHW, expected.images_BCHW)
    assert expected.has_mask_B.all()
    assert torch.equal(batch.has_mask_B, is_kept_B)
    assert torch.equal(batch.background_BHW, expected.background_BHW * is_kept_B[:, None, None])
    assert 0 < int(is_kept_B.sum()) < 200


def test_labels_groups_and_evaluated_images_stay_as_they_are() -> None:
    whole, few = data_of(), data_of(mask_subset={"share": 0.2})
    for found, expected in ((few.train, whole.train), (few.val, whole.val)):
        assert isinstance(found, Labelled)
        assert isinstance(expected, Labelled)
        assert torch.equal(found.labels_N, expected.labels_N)
        assert isinstance(found, Grouped)
        assert isinstance(expected, Grouped)
        assert found.group_names == expected.group_names
        groups, expected_groups = found.groups(), expected.groups()
        assert groups is not None
        assert expected_groups is not None
        assert torch.equal(groups, expected_groups)
    assert fetch(few.val).has_mask_B.all()
    assert few.train.digest() != whole.train.digest()


def test_data_without_masks_are_refused() -> None:
    tree = {"data": {"kind": "image_folder", "root": "images", "mask_subset": {"share": 0.5}}}
    with pytest.raises(ConfigError, match=r"data\.mask_subset needs masks, and data\.masks = null has none"):
        experiment_from_tree(tree)


def test_images_that_come_more_often_for_their_masks_are_refused() -> None:
    data = {"kind": "imagenet_s", "root": "images", "oversample_masked": 4, "mask_subset": {"share": 0.5}}
    with pytest.raises(ConfigError, match=r"oversample_masked = 4 shows .* more often.*mask_subset=null"):
        experiment_from_tree({"data": data})


def test_a_config_of_an_earlier_version_keeps_its_hash() -> None:
    assert config_hash(experiment_from_tree({"data": {"mask_subset": None}})) == config_hash(experiment_from_tree({}))
