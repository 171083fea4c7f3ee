"""What every data set promises."""

from collections.abc import Callable
from typing import get_args

import pytest
import torch

from trainables.config import DataConfig, Validation
from trainables.config.data import KINDS_WITH_MASKS, KINDS_WITH_SEVERAL_LABELS
from trainables.data import Batch, DataBundle, Draw, ImageSet, Labelled, build_data
from trainables.data.build import BUILDERS

KINDS = sorted(BUILDERS)
Build = Callable[[str], DataBundle]
ONLY_SOME_HAVE_MASKS = {"imagenet_9", "imagenet_s", "salient_imagenet"}


def sets(bundle: DataBundle) -> list[ImageSet]:
    test = [] if bundle.test is bundle.val else [bundle.test]
    return [bundle.train, bundle.val, *test, *bundle.shift.values()]


def fetch(dataset: ImageSet, seed: int = 0) -> Batch:
    return dataset.__getitems__([Draw(index, seed + index) for index in range(len(dataset))])


def assert_equal(first: Batch, second: Batch) -> None:
    assert first.ids == second.ids
    assert (first.targets_BK is None) == (second.targets_BK is None)
    for name in ("images_BCHW", "labels_B", "background_BHW", "has_mask_B", "targets_BK", "classes_BHW"):
        if getattr(first, name) is not None:
            assert torch.equal(getattr(first, name), getattr(second, name)), name


def test_every_configurable_kind_has_a_builder() -> None:
    sections = get_args(get_args(DataConfig)[0])
    assert {kind for each in sections for kind in get_args(each.model_fields["kind"].annotation)} == set(BUILDERS)


@pytest.mark.parametrize("kind", KINDS)
class TestContract:
    def test_batches_have_the_declared_form(self, bundle_of: Build, kind: str) -> None:
        for dataset in sets(bundle_of(kind)):
            batch, num = fetch(dataset), len(dataset)
            assert len(batch) == num > 0
            assert batch.images_BCHW.shape == (num, 3, 32, 32)
            assert batch.images_BCHW.dtype == torch.float32
            assert batch.images_BCHW.min() >= 0
            assert 0.5 < batch.images_BCHW.max() <= 1
            assert batch.labels_B.shape == (num,)
            assert batch.labels_B.dtype == torch.int64
            assert batch.background_BHW.shape == (num, 32, 32)
            assert batch.background_BHW.dtype == torch.float32
            assert set(batch.background_BHW.unique().tolist()) <= {0.0, 1.0}
            assert batch.has_mask_B.shape == (num,)
            assert batch.has_mask_B.dtype == torch.bool
            assert batch.indices_B is not None
            assert batch.indices_B.tolist() == list(range(num))

    def test_only_data_of_several_labels_have_targets(self, bundle_of: Build, kind: str) -> None:
        bundle = bundle_of(kind)
        assert bundle.several_labels == (kind in KINDS_WITH_SEVERAL_LABELS)
        for dataset in sets(bundle):
            batch, num = fetch(dataset), len(dataset)
            if not bundle.several_labels:
                assert batch.targets_BK is None
                assert batch.classes_BHW is None
                continue
            assert batch.targets_BK is not None
            assert batch.classes_BHW is not None
            assert batch.targets_BK.shape == (num, len(bundle.class_names))
            assert batch.targets_BK.dtype == torch.float32
            assert batch.classes_BHW.shape == (num, 32, 32)
            assert batch.classes_BHW.dtype == torch.uint8
            assert (batch.targets_BK.gather(1, batch.labels_B[:, None]) == 1).all()
            assert torch.equal(batch.background_BHW == 1, batch.classes_BHW == 0)

    def test_background_is_zero_without_a_mask_and_leaves_room_for_the_object_with_one(
        self, bundle_of: Build, kind: str
    ) -> None:
        bundle = bundle_of(kind)
        for dataset in sets(bundle):
            batch = fetch(dataset)
            share_B = batch.background_BHW.mean((1, 2))
            if kind not in ONLY_SOME_HAVE_MASKS:
                assert batch.has_mask_B.tolist() == [kind in KINDS_WITH_MASKS or kind == "table"] * len(batch)
            assert (share_B[~batch.has_mask_B] == 0).all()
            assert ((share_B > 0) & (share_B < 1))[batch.has_mask_B].all()

    def test_labels_are_the_training_sets(self, bundle_of: Build, kind: str) -> None:
        bundle = bundle_of(kind)
        for dataset in sets(bundle):
            assert dataset.class_names == bundle.class_names
            assert fetch(dataset).labels_B.max() < len(bundle.class_names)
            assert fetch(dataset).labels_B.min() >= 0

    def test_ids_are_unique_and_safe_as_file_names(self, bundle_of: Build, kind: str) -> None:
        for dataset in sets(bundle_of(kind)):
            ids = fetch(dataset).ids
            assert len(set(ids)) == len(dataset)
            assert not any("/" in id_ for id_ in ids)

    def test_a_draw_decides_its_image(self, bundle_of: Build, kind: str) -> None:
        for dataset in sets(bundle_of(kind)):
            whole = fetch(dataset, seed=7)
            alone = dataset.__getitems__([Draw(2, 9), Draw(0, 7)])
            assert alone.ids == (whole.ids[2], whole.ids[0])
            assert torch.equal(alone.images_BCHW, whole.images_BCHW[[2, 0]])
            assert torch.equal(alone.background_BHW, whole.background_BHW[[2, 0]])

    def test_only_images_of_the_training_set_are_augmented(self, bundle_of: Build, kind: str) -> None:
        bundle = bundle_of(kind)
        changed = not torch.equal(fetch(bundle.train, seed=1).images_BCHW, fetch(bundle.train, seed=2).images_BCHW)
        assert changed == (kind != "spurious_digits")
        for dataset in (bundle.val, *bundle.shift.values()):
            assert_equal(fetch(dataset, seed=1), fetch(dataset, seed=2))

    def test_the_reference_shows_the_training_images_as_validation_would(self, bundle_of: Build, kind: str) -> None:
        bundle = bundle_of(kind)
        shown, trained = fetch(bundle.train_unaugmented), fetch(bundle.train)
        assert shown.ids == trained.ids
        if not bundle.several_labels:  # Of those, the label is the crop's main one.
            assert torch.equal(shown.labels_B, trained.labels_B)
        assert_equal(shown, fetch(bundle.train_unaugmented, seed=1000))

    def test_fetching_leaves_the_global_generator_alone(self, bundle_of: Build, kind: str) -> None:
        bundle = bundle_of(kind)
        before = torch.get_rng_state()
        fetch(bundle.train)
        assert torch.equal(torch.get_rng_state(), before)

    def test_digest_is_stable_and_tells_sets_apart(self, bundle_of: Build, kind: str) -> None:
        first, second = bundle_of(kind), bundle_of(kind)
        assert [s.digest() for s in sets(first)] == [s.digest() for s in sets(second)]
        assert len({s.digest() for s in sets(first)}) == len(sets(first))
        assert all(len(s.digest()) == 16 and int(s.digest(), 16) >= 0 for s in sets(first))

    def test_nothing_is_skipped(self, bundle_of: Build, kind: str) -> None:
        for dataset in sets(bundle_of(kind)):
            fetch(dataset)
            assert dataset.num_skipped == 0


def test_each_kind_builds_its_own_set(bundle_of: Build) -> None:
    assert {kind: bundle_of(kind).class_names[0] for kind in KINDS} == {
        "cub": "001.Albatross",
        "hard_imagenet": "n01",
        "image_folder": "cat",
        "imagenet_9": "00_dog",
        "imagenet_boxes": "n01",
        "imagenet_s": "n01",
        "metashift": "cat",
        "nico_pp": "cat",
        "oxford_pet": "Abyssinian",
        "pascal_voc": "aeroplane",
        "rival10": "car",
        "salient_imagenet": "n01",
        "sbd": "aeroplane",
        "spawrious": "bulldog",
        "spurious_digits": "0",
        "table": "0",
        "urbancars": "country",
        "waterbirds": "landbird",
    }


@pytest.mark.parametrize("kind", ["oxford_pet", "pascal_voc", "imagenet_s", "hard_imagenet", "image_folder"])
def test_the_cut_divides_the_training_images_and_leaves_the_test_images(bundle_of: Build, kind: str) -> None:
    whole = bundle_of(kind)
    assert whole.config is not None
    assert whole.val is whole.test
    cut, again = (build_data(whole.config.model_copy(update={"validation": Validation(share=0.3)})) for _ in range(2))
    train, val = fetch(cut.train_unaugmented).ids, fetch(cut.val).ids
    assert sorted((*train, *val)) == sorted(fetch(whole.train_unaugmented).ids)
    assert fetch(cut.train).ids == train
    assert val == fetch(again.val).ids
    assert fetch(cut.test).ids == fetch(whole.test).ids
    digests = [images.digest() for images in (cut.train, cut.val, cut.test)]
    assert digests == [images.digest() for images in (again.train, again.val, again.test)]
    assert len({*digests, whole.train.digest()}) == 4


@pytest.mark.parametrize("kind", sorted({*KINDS} - KINDS_WITH_SEVERAL_LABELS))
def test_labels_are_known_without_reading_images(bundle_of: Build, kind: str) -> None:
    train = bundle_of(kind).train
    assert isinstance(train, Labelled)
    assert train.labels_N.dtype == torch.int64
    assert train.labels_N.tolist() == fetch(train).labels_B.tolist()
