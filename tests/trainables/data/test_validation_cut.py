"""The cut of a validation set: which images, and how many of each class."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from trainables.config import ConfigError, Validation
from trainables.data.file_index import NO_MASK, FileSet
from trainables.data.image_file import ImageFile
from trainables.data.image_list import ImageList
from trainables.data.validation_cut import cut, cut_images, split_files

FIFTH = Validation()


def counts(strata: list[int], **options: float) -> dict[int, int]:
    settings = {"share": 0.2, "seed": 0, **options}
    chosen_N = cut(np.array(strata), share=settings["share"], seed=int(settings["seed"]))
    return dict(Counter(np.array(strata)[chosen_N].tolist()))


@pytest.mark.parametrize("seed", range(20))
def test_each_stratum_has_its_share(seed: int) -> None:
    assert counts([0] * 10 + [1] * 5 + [2] * 20, seed=seed) == {0: 2, 1: 1, 2: 4}


@pytest.mark.parametrize("seed", range(20))
def test_what_does_not_divide_is_rounded_up_or_down_and_the_sum_is_right(seed: int) -> None:
    found = counts([0] * 7 + [1] * 8 + [2] * 5, seed=seed)  # 1.4, 1.6 and 1 of them.
    assert found[0] in (1, 2)
    assert found[1] in (1, 2)
    assert sum(found.values()) == 4


@pytest.mark.parametrize("seed", range(20))
def test_no_stratum_is_emptied(seed: int) -> None:
    strata = [0, 1, 1, 2, 2, 3, 3, 3]
    found = counts(strata, share=0.5, seed=seed)
    assert 0 not in found
    assert all(num < Counter(strata)[stratum] for stratum, num in found.items())
    assert sum(found.values()) == 3


def test_a_small_set_gives_one_image() -> None:
    assert sum(counts([0, 0, 1], share=0.1).values()) == 1


def test_the_choice_follows_from_the_seed_and_not_from_order_of_strata() -> None:
    strata_N = np.arange(200) % 4
    first, again, other = (cut(strata_N, share=0.25, seed=seed) for seed in (3, 3, 4))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
    assert first.sum() == other.sum() == 50


def image_list(labels: list[int | None], masked: int = 0) -> ImageList:
    files = [
        ImageFile(Path(f"{index}.jpg"), Path(f"{index}.png") if index < masked else None, label, str(index))
        for index, label in enumerate(labels)
    ]
    return ImageList(files, Path())


def test_lists_are_cut_by_class_and_mask_in_their_order() -> None:
    train, val = cut_images(image_list([0] * 10 + [1] * 10, masked=5), FIFTH)
    ids = [int(image_file.id) for image_file in (*train.files, *val.files)]
    assert sorted(ids) == list(range(20))
    assert sorted(ids[:16]) == ids[:16]
    assert sorted(ids[16:]) == ids[16:]
    assert Counter((file.label, file.mask_path is not None) for file in val.files) == {
        (0, True): 1,
        (0, False): 1,
        (1, False): 2,
    }


def test_other_strata_may_be_given() -> None:
    groups_N = np.array([0, 1] * 10)
    _, val = cut_images(image_list([0] * 20), FIFTH, strata_N=groups_N)
    assert Counter(int(image_file.id) % 2 for image_file in val.files) == {0: 2, 1: 2}


def test_images_whose_label_is_in_the_mask_are_cut_too() -> None:
    train, val = cut_images(image_list([None] * 10), FIFTH)
    assert (len(train.files), len(val.files)) == (8, 2)


def test_classes_of_one_image_each_cannot_be_cut() -> None:
    with pytest.raises(ConfigError, match=r"takes 0\.2 of each class's training images, and none has two"):
        cut_images(image_list([0, 1, 2]), FIFTH)


def file_set(num: int) -> FileSet:
    return FileSet(
        names_N=np.array([f"train/a/{index}.jpg".encode() for index in range(num)]),
        labels_N=np.repeat([0, 1], num // 2).astype(np.int32),
        sizes_N=np.arange(num),
        mask_sizes_N=np.array([NO_MASK, 7] * (num // 2)),
        digest="0" * 16,
        left_out_names=np.array([], dtype=np.bytes_),
    )


def test_sets_of_files_are_cut_alike() -> None:
    files = file_set(40)
    train, val = split_files(files, FIFTH)
    assert val is not None
    assert sorted([*train.sizes_N, *val.sizes_N]) == list(range(40))
    assert Counter(zip(val.labels_N.tolist(), val.mask_sizes_N.tolist(), strict=True)) == {
        (label, size): 2 for label in (0, 1) for size in (NO_MASK, 7)
    }
    names = [f"train/a/{size}.jpg".encode() for size in val.sizes_N]
    assert val.names_N.tolist() == names
    again, _ = split_files(files, FIFTH)
    other, _ = split_files(files, Validation(seed=1))
    assert len({files.digest, train.digest, val.digest, other.digest}) == 4
    assert again.digest == train.digest


def test_nothing_is_cut_where_one_held_out_set_serves_both() -> None:
    files = file_set(4)
    assert split_files(files, Validation(source="held_out")) == (files, None)
