"""A training set of which only some images show their masks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trainables.config import ConfigError, config_hash, experiment_from_tree
from trainables.data import (
    Batch,
    DataBundle,
    Draw,
    Grouped,
    ImageSet,
    Labelled,
    Masked,
    build_trial_data,
    training_batches,
)
from trainables.data.mask_subset import kept
from trainables.losses import build_objective
from trainables.models import Output

OF_CLASSES = {"kind": "binary_contrastive", "background_weight": 1}
DIGITS = {"num_train": 200, "num_test": 20, "image_size": 32}


def data_of(**fields: Any) -> DataBundle:
    return build_trial_data(experiment_from_tree({"data": {**DIGITS, **fields}}))


def fetch(images: ImageSet) -> Batch:
    return images.__getitems__([Draw(index, index) for index in range(len(images))])


def keep(labels_N: Any, share: float, seed: int) -> Any:
    return kept(labels_N, np.ones(len(labels_N), dtype=bool), share=share, seed=seed)


def test_each_class_keeps_its_share_and_at_least_one() -> None:
    labels_N = np.repeat([0, 1, 2], [40, 10, 2])
    assert np.bincount(labels_N, weights=keep(labels_N, 0.1, 0)).tolist() == [4, 1, 1]
    assert keep(labels_N, 1, 0).all()


def test_the_share_is_of_the_images_with_a_mask() -> None:
    """Of 100 images of class 0 ten have a mask, of class 1 one; class 2 has none."""
    labels_N, is_masked_N = np.repeat([0, 1, 2], 100), np.zeros(300, dtype=bool)
    is_masked_N[[*range(10), 150]] = True
    for seed in range(5):
        is_kept_N = kept(labels_N, is_masked_N, share=0.3, seed=seed)
        assert np.bincount(labels_N, weights=is_kept_N).tolist() == [3, 1, 0]
        assert not (is_kept_N & ~is_masked_N).any()


def test_a_smaller_share_is_part_of_a_larger_one_and_another_seed_chooses_others() -> None:
    labels_N = np.arange(300) % 3
    tenth, third = (keep(labels_N, share, 0) for share in (0.1, 1 / 3))
    assert (tenth.sum(), third.sum(), (tenth & third).sum()) == (30, 99, 30)
    assert (tenth != keep(labels_N, 0.1, 1)).any()


@pytest.mark.parametrize("processes", [0, 1])
def test_the_other_images_look_as_if_they_had_no_mask(processes: int) -> None:
    whole, few = data_of().train, data_of(mask_subset={"share": 0.2, "seed": 3}).train
    assert isinstance(whole, Labelled)
    is_kept_N = torch.from_numpy(keep(whole.labels_N.numpy(), 0.2, 3))
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


def test_a_hidden_class_map_says_nothing_to_the_loss(voc_root: Path) -> None:
    """Without a map, binary_contrastive is the binary cross-entropy of the targets."""
    tree = {"kind": "pascal_voc", "root": str(voc_root), "image_size": 48}
    whole, few = (
        build_trial_data(experiment_from_tree({"data": {**tree, **more}, "objective": OF_CLASSES})).train_unaugmented
        for more in ({}, {"mask_subset": {"share": 0.5}})
    )
    before, batch = fetch(whole), fetch(few)
    assert isinstance(few, Masked)
    hidden_N = ~few.is_masked_N
    assert 0 < int(hidden_N.sum()) < len(hidden_N)
    assert torch.equal(batch.has_mask_B, before.has_mask_B & ~hidden_N)
    torch.manual_seed(0)
    head = nn.Linear(4, len(whole.class_names)).double()
    features = torch.randn(len(few), 4, 6, 6, dtype=torch.float64)
    output = Output(head(features.mean((2, 3))), features)
    loss, all_masks, plain = (
        build_objective(experiment_from_tree({"objective": objective, "data": tree}).objective)(output, head, shown)
        for objective, shown in ((OF_CLASSES, batch), (OF_CLASSES, before), ({"kind": "binary_cross_entropy"}, batch))
    )
    (of_few,), (of_all,), (of_targets,) = (terms.values() for terms in (loss, all_masks, plain))
    assert torch.equal(batch.targets_BK, before.targets_BK)
    torch.testing.assert_close(of_few[hidden_N], of_targets[hidden_N])
    torch.testing.assert_close(of_few[~hidden_N], of_all[~hidden_N])
    assert (of_few[hidden_N] - of_all[hidden_N]).abs().min() > 1e-3


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
