import gc
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from trainables.config import OxfordPet, SpuriousDigits, Validation
from trainables.data import (
    Batch,
    DataBundle,
    Draw,
    ImageError,
    ImageSet,
    build_data,
    evaluation_batches,
    strata_of,
    training_batches,
)
from trainables.data.loader import augmentation_seeds

HELD_OUT = Validation(source="held_out")
"""The lists of the publisher as they are."""


@pytest.fixture
def digits() -> ImageSet:
    return build_data(SpuriousDigits(num_train=50, num_test=23, image_size=32)).train


def ids(batches: Iterable[Batch]) -> list[tuple[str, ...]]:
    return [batch.ids for batch in batches]


def assert_same(first: Iterable[Batch], second: Iterable[Batch]) -> None:
    for one, other in zip(first, second, strict=True):
        assert one.ids == other.ids
        assert torch.equal(one.images_BCHW, other.images_BCHW)
        assert torch.equal(one.background_BHW, other.background_BHW)
        assert (one.classes_BHW is None) == (other.classes_BHW is None)
        assert one.classes_BHW is None or torch.equal(one.classes_BHW, other.classes_BHW)


def test_an_epoch_visits_each_image_once_and_drops_the_incomplete_batch(digits: ImageSet) -> None:
    batches = training_batches(digits, batch_size=8, seed=0, epoch=0)
    seen = ids(batches)
    assert len(batches) == len(seen) == 6
    assert {len(batch) for batch in seen} == {8}
    assert len({id_ for batch in seen for id_ in batch}) == 48


def test_order_follows_from_seed_and_epoch(digits: ImageSet) -> None:
    def order(seed: int, epoch: int) -> list[tuple[str, ...]]:
        return ids(training_batches(digits, batch_size=8, seed=seed, epoch=epoch))

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(*key)) for key in [(0, 0), (0, 1), (1, 0), (1, 1)]}) == 4


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_rank_slices_make_up_the_global_batch(digits: ImageSet, world_size: int) -> None:
    whole = ids(training_batches(digits, batch_size=8, seed=3, epoch=2))
    ranks = [
        ids(training_batches(digits, batch_size=8, seed=3, epoch=2, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    assert [sum(parts, ()) for parts in zip(*ranks, strict=True)] == whole


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_rank_slices_make_up_the_balanced_and_weighed_batch(digits: ImageSet, world_size: int) -> None:
    options: dict[str, Any] = {
        "batch_size": 8,
        "seed": 3,
        "epoch": 2,
        "strata_N": strata_of(digits, "group_balanced"),
        "class_weights_K": torch.arange(10.0),
    }
    whole = list(training_batches(digits, **options))
    ranks = [training_batches(digits, **options, rank=rank, world_size=world_size) for rank in range(world_size)]
    for batch, *parts in zip(whole, *ranks, strict=True):
        assert sum((part.ids for part in parts), ()) == batch.ids
        weights = [weight for part in parts for weight in part.weights_B.tolist()]
        assert weights == batch.weights_B.tolist() == batch.labels_B.tolist()
    rest = list(training_batches(digits, **options, start=4))
    assert ids(rest) == ids(whole)[4:]


def test_an_image_that_is_drawn_again_is_augmented_anew(bundle_of: Callable[[str], DataBundle]) -> None:
    train = bundle_of("image_folder").train
    strata = np.array([0] * 11 + [1])
    seen: dict[str, list[torch.Tensor]] = {}
    for batch in training_batches(train, batch_size=4, seed=0, epoch=1, strata_N=strata):
        for id_, image in zip(batch.ids, batch.images_BCHW, strict=True):
            seen.setdefault(id_, []).append(image)
    ((name, drawn),) = [(id_, images) for id_, images in seen.items() if len(images) > 1]
    assert name == "fox__3"
    assert len(drawn) == 6
    assert len({image.sum().item() for image in drawn}) == 6
    plain = training_batches(train, batch_size=4, seed=0, epoch=1)
    once = {id_: image for batch in plain for id_, image in zip(batch.ids, batch.images_BCHW, strict=True)}
    assert any(torch.equal(image, once[name]) for image in drawn)


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_evaluation_ranks_take_every_nth_image_in_order(world_size: int) -> None:
    val = build_data(SpuriousDigits(num_train=50, num_test=23, image_size=32)).val
    for rank in range(world_size):
        batches = evaluation_batches(val, batch_size=4, rank=rank, world_size=world_size)
        expected = [f"val-{index:05d}" for index in range(rank, 23, world_size)]
        assert [id_ for batch in ids(batches) for id_ in batch] == expected
        assert len(batches) == len(ids(batches)) == -(-len(expected) // 4)


def test_a_rank_without_images_has_no_batches() -> None:
    val = build_data(SpuriousDigits(num_train=10, num_test=10, image_size=32)).val
    assert ids(evaluation_batches(val, batch_size=4, rank=11, world_size=12)) == []


def test_augmentation_is_independent_of_rank_and_batch(bundle_of: Callable[[str], DataBundle]) -> None:
    train = bundle_of("image_folder").train

    def images(**options: int) -> dict[str, torch.Tensor]:
        batches = training_batches(train, seed=1, epoch=4, **options)
        return {id_: batch.images_BCHW[k] for batch in batches for k, id_ in enumerate(batch.ids)}

    whole = images(batch_size=12)
    small = images(batch_size=2)
    ranks = images(batch_size=6, rank=0, world_size=2) | images(batch_size=6, rank=1, world_size=2)
    assert whole.keys() == small.keys() == ranks.keys()
    for id_, image_CHW in whole.items():
        assert torch.equal(image_CHW, small[id_])
        assert torch.equal(image_CHW, ranks[id_])


@pytest.mark.parametrize("kind", ["oxford_pet", "pascal_voc", "image_folder", "spurious_digits"])
def test_a_second_view_is_the_same_images_augmented_anew(bundle_of: Callable[[str], DataBundle], kind: str) -> None:
    train = bundle_of(kind).train
    (batch, *_) = training_batches(train, batch_size=4, seed=2, epoch=3, num_views=2)
    (plain, *_) = training_batches(train, batch_size=4, seed=2, epoch=3)
    first, second = batch.split(2)
    assert first.ids == second.ids == plain.ids
    assert torch.equal(first.labels_B, second.labels_B)
    assert torch.equal(first.images_BCHW, plain.images_BCHW)
    assert (first.images_BCHW != second.images_BCHW).flatten(1).any(1).all()


@pytest.mark.parametrize("kind", ["image_folder", "spurious_digits"])
def test_views_are_independent_of_rank(bundle_of: Callable[[str], DataBundle], kind: str) -> None:
    train = bundle_of(kind).train

    def second_views(**options: int) -> dict[str, torch.Tensor]:
        views = [batch.split(2)[1] for batch in training_batches(train, seed=1, epoch=4, num_views=2, **options)]
        return {id_: view.images_BCHW[k] for view in views for k, id_ in enumerate(view.ids)}

    whole = second_views(batch_size=12)
    ranks = second_views(batch_size=12, rank=0, world_size=2) | second_views(batch_size=12, rank=1, world_size=2)
    assert whole.keys() == ranks.keys()
    assert all(torch.equal(whole[id_], ranks[id_]) for id_ in whole)


def test_evaluation_ranks_share_the_images_that_are_asked_for(digits: ImageSet) -> None:
    chosen = [3, 8, 9, 20, 49]
    shares = [ids(evaluation_batches(digits, batch_size=2, indices=chosen, rank=r, world_size=2)) for r in range(2)]
    assert shares == [[("train-00003", "train-00009"), ("train-00049",)], [("train-00008", "train-00020")]]


def test_augmentation_changes_with_the_epoch(bundle_of: Callable[[str], DataBundle]) -> None:
    train = bundle_of("image_folder").train

    def total(epoch: int) -> float:
        (batch,) = training_batches(train, batch_size=12, seed=1, epoch=epoch)
        return round(batch.images_BCHW.double().sum().item(), 3)

    assert total(0) == total(0) != total(1)


@pytest.mark.parametrize("kind", ["oxford_pet", "pascal_voc", "imagenet_s", "spurious_digits"])
def test_loader_processes_change_nothing(bundle_of: Callable[[str], DataBundle], kind: str) -> None:
    bundle = bundle_of(kind)
    assert_same(
        training_batches(bundle.train, batch_size=2, seed=5, epoch=1),
        training_batches(bundle.train, batch_size=2, seed=5, epoch=1, processes=2),
    )
    assert_same(
        evaluation_batches(bundle.val, batch_size=2),
        evaluation_batches(bundle.val, batch_size=2, processes=2),
    )


def test_a_loader_process_finalizes_no_garbage_of_its_parent(digits: ImageSet, tmp_path: Path) -> None:
    class Cycle:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            (tmp_path / str(os.getpid())).touch()

    class Collecting:
        def __len__(self) -> int:
            return len(digits)

        def __getitems__(self, draws: list[Draw]) -> Batch:
            gc.collect()
            return digits.__getitems__(draws)

    gc.disable()
    try:
        Cycle()
        list(training_batches(cast("Any", Collecting()), batch_size=8, seed=0, epoch=0, processes=1))
    finally:
        gc.enable()
    assert list(tmp_path.iterdir()) == []
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == [str(os.getpid())]


def test_loading_leaves_the_global_generator_alone(bundle_of: Callable[[str], DataBundle]) -> None:
    bundle = bundle_of("oxford_pet")
    before = torch.get_rng_state()
    ids(training_batches(bundle.train, batch_size=2, seed=0, epoch=0))
    ids(evaluation_batches(bundle.val, batch_size=2))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_set_smaller_than_a_batch_is_refused(digits: ImageSet) -> None:
    with pytest.raises(ValueError, match=r"50 images, fewer than one batch of 51; lower training\.batch_size"):
        training_batches(digits, batch_size=51, seed=0, epoch=0)


def test_a_batch_that_the_ranks_cannot_share_is_refused(digits: ImageSet) -> None:
    with pytest.raises(ValueError, match="batch_size = 8 is no multiple of world_size = 3"):
        training_batches(digits, batch_size=8, seed=0, epoch=0, world_size=3)


@pytest.mark.parametrize("rank", [-1, 2])
def test_a_rank_outside_the_world_is_refused(digits: ImageSet, rank: int) -> None:
    with pytest.raises(ValueError, match=f"rank = {rank} must be from 0 to world_size - 1 = 1"):
        training_batches(digits, batch_size=8, seed=0, epoch=0, rank=rank, world_size=2)
    with pytest.raises(ValueError, match=f"rank = {rank}"):
        evaluation_batches(digits, batch_size=8, rank=rank, world_size=2)


def test_seeds_are_splitmix64() -> None:
    # First outputs of the reference implementation from state 0, halved: seeds lie below 2^63.
    reference = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert augmentation_seeds(np.arange(3), key=0).tolist() == [value >> 1 for value in reference]


def test_seeds_of_neighbouring_indices_and_keys_differ() -> None:
    seeds = np.concatenate([augmentation_seeds(np.arange(5000), key=key) for key in range(4)])
    assert len(np.unique(seeds)) == 20000


@pytest.mark.parametrize("processes", [0, 2])
def test_skipped_images_shorten_batches_and_are_counted_across_processes(pet_root: Path, processes: int) -> None:
    config = OxfordPet(root=str(pet_root), image_size=32, validation=HELD_OUT, on_error="skip")
    bundle = build_data(config)
    for name in ("Abyssinian_3.jpg", "pug_10.jpg"):
        (pet_root / "oxford-iiit-pet" / "images" / name).write_bytes(b"no image")
    (batch,) = training_batches(bundle.train, batch_size=4, seed=0, epoch=0, processes=processes)
    assert sorted(batch.ids) == ["Abyssinian_1", "Abyssinian_2", "beagle_1"]
    assert bundle.train.num_skipped == 1
    # The first evaluation batch loses its only image and is left out.
    for _ in range(2):
        assert ids(evaluation_batches(bundle.val, batch_size=1, processes=processes)) == [("beagle_2",), ("samoyed_7",)]
    assert bundle.val.num_skipped == 1


def test_a_training_batch_of_which_nothing_can_be_read_is_an_error(pet_root: Path) -> None:
    config = OxfordPet(root=str(pet_root), image_size=32, validation=HELD_OUT, on_error="skip")
    bundle = build_data(config)
    (pet_root / "oxford-iiit-pet" / "images" / "pug_10.jpg").write_bytes(b"no image")
    with pytest.raises(ImageError, match="no image of a training batch could be read"):
        ids(training_batches(bundle.train, batch_size=1, seed=0, epoch=0))


def test_an_error_in_a_loader_process_reaches_the_caller(pet_root: Path) -> None:
    bundle = build_data(OxfordPet(root=str(pet_root), image_size=32, validation=HELD_OUT))
    (pet_root / "oxford-iiit-pet" / "images" / "beagle_2.jpg").unlink()
    with pytest.raises(ImageError, match=r"beagle_2\.jpg cannot be read"):
        ids(evaluation_batches(bundle.val, batch_size=1, processes=1))
