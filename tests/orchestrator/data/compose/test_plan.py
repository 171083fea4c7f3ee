"""Which object stands before which scene: counts worked out by hand, and what a seed decides."""

from collections import Counter

import numpy as np
import pytest

from orchestrator.data.compose.plan import (
    SHIFTED,
    Ints,
    Planned,
    Split,
    own_kinds,
    pick_scenes,
    plan_images,
    split_scenes,
    training_kinds,
)
from trainables.config import ConfigError

SHARES = (0.6, 0.2, 0.2)


def of_classes(*counts: int) -> Ints:
    return np.repeat(np.arange(len(counts)), counts)


def test_class_k_has_kind_k_mod_n() -> None:
    assert own_kinds(np.arange(5), 2).tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("agreement", "others"),
    [
        (1.0, [0, 0, 0]),
        (0.95, [2, 1, 2]),  # 5 of 100: the sum is 2, 3 and 5 after 40, 60 and 100 images.
        (0.5, [20, 10, 20]),
        (0.0, [40, 20, 40]),
    ],
)
def test_the_agreement_is_exact(agreement: float, others: list[int]) -> None:
    labels_N = of_classes(40, 20, 40)
    kinds_N = training_kinds(labels_N, 2, agreement, seed=3)
    disagree_N = kinds_N != own_kinds(labels_N, 2)
    assert [int(disagree_N[labels_N == label].sum()) for label in range(3)] == others


def test_small_classes_add_up() -> None:
    """Ten classes of 5 images at 0.9: one of 50 images for every two classes, 5 in all."""
    labels_N = of_classes(*[5] * 10)
    disagree_N = training_kinds(labels_N, 10, 0.9, seed=0) != labels_N
    assert int(disagree_N.sum()) == 5
    assert max(Counter(labels_N[disagree_N].tolist()).values()) == 1


def test_images_that_disagree_are_spread_over_the_other_kinds() -> None:
    kinds_N = training_kinds(of_classes(12), 4, 0.5, seed=0)
    assert Counter(kinds_N.tolist()) == {0: 6, 1: 2, 2: 2, 3: 2}


def test_the_other_kinds_take_turns_over_all_classes() -> None:
    """25 of 500 images, 2 or 3 of each class: the nine other kinds take them in turn, two or three times each."""
    labels_N = of_classes(*[50] * 10)
    further_on = Counter(((training_kinds(labels_N, 10, 0.95, seed=0) - labels_N) % 10).tolist())
    assert [further_on[steps] for steps in range(10)] == [475, 3, 3, 3, 3, 3, 3, 3, 2, 2]


def test_a_lower_agreement_adds_to_the_images_that_disagree() -> None:
    labels_N = of_classes(50)
    few, many = (np.flatnonzero(training_kinds(labels_N, 2, agreement, seed=1)) for agreement in (0.9, 0.8))
    assert len(few) == 5
    assert set(few) < set(many)


class TestScenes:
    def test_each_kind_has_its_share_in_each_split(self) -> None:
        kinds_S = of_classes(10, 5)
        splits_S = split_scenes(kinds_S, SHARES, ["a", "b"], seed=0)
        assert Counter(zip(kinds_S.tolist(), splits_S.tolist(), strict=True)) == {
            (0, 0): 6,
            (0, 1): 2,
            (0, 2): 2,
            (1, 0): 3,
            (1, 1): 1,
            (1, 2): 1,
        }

    def test_a_kind_with_too_few_is_refused(self) -> None:
        with pytest.raises(
            ConfigError, match=r"the kind b has 2 scenes, too few for one in each split by .* 0\.6 0\.2"
        ):
            split_scenes(of_classes(10, 2), SHARES, ["a", "b"], seed=0)
        with pytest.raises(ConfigError, match="the kind b has 1 scene, too few for one in each split"):
            split_scenes(of_classes(10, 1), SHARES, ["a", "b"], seed=0)

    def test_none_is_taken_again_before_all_were(self) -> None:
        kinds_S, allowed_S = of_classes(3, 3), np.array([True, True, False, True, True, True])
        scenes_N = pick_scenes(of_classes(5, 6), kinds_S, allowed_S, np.random.default_rng(0))
        assert sorted(Counter(scenes_N[:5].tolist()).values()) == [2, 3]
        assert set(scenes_N[:5].tolist()) == {0, 1}
        assert Counter(scenes_N[5:].tolist()) == {3: 2, 4: 2, 5: 2}


LABELS: dict[Split, Ints] = {"train": of_classes(20, 20), "val": of_classes(3, 2), "test": of_classes(4, 4)}
KINDS = of_classes(10, 10)
SPLITS = split_scenes(KINDS, SHARES, ["a", "b"], seed=5)


def planned(agreement: float = 0.9, seed: int = 5) -> list[Planned]:
    return list(plan_images(LABELS, KINDS, SPLITS, agreement=agreement, seed=seed))


def groups(set_: str, images: list[Planned]) -> Counter[tuple[int, int | None]]:
    """Count a set's images by class and kind of scene."""
    return Counter(
        (int(LABELS[image.split][image.object]), None if image.scene is None else int(KINDS[image.scene]))
        for image in images
        if image.set == set_
    )


def test_groups_of_each_set() -> None:
    images = planned()
    assert groups("train", images) == {(0, 0): 18, (0, 1): 2, (1, 0): 2, (1, 1): 18}
    assert groups("val", images) == {(0, 0): 3, (0, 1): 3, (1, 0): 2, (1, 1): 2}
    assert groups("test", images) == {(0, 0): 4, (0, 1): 4, (1, 0): 4, (1, 1): 4}
    for name in ("mixed_same", "no_fg", "only_bg"):
        assert groups(name, images) == {(0, 0): 4, (1, 1): 4}
    assert groups("mixed_next", images) == {(0, 1): 4, (1, 0): 4}
    for name in ("only_fg", "clean"):
        assert groups(name, images) == {(0, None): 4, (1, None): 4}
    assert sum(groups("mixed_rand", images).values()) == 8
    assert {image.set for image in images} == {"train", "val", "test", *SHIFTED}


def test_scenes_stay_in_their_split() -> None:
    names = {"train": 0, "val": 1, "test": 2}
    assert all(image.scene is None or SPLITS[image.scene] == names[image.split] for image in planned())


def test_mixed_same_no_fg_and_only_bg_share_their_scenes() -> None:
    same, no_fg, only_bg = (
        [(image.object, image.scene, image.place) for image in planned() if image.set == name]
        for name in ("mixed_same", "no_fg", "only_bg")
    )
    assert same == no_fg == only_bg


def test_a_seed_decides_everything() -> None:
    assert planned() == planned()
    assert planned() != planned(seed=6)


def test_the_agreement_changes_the_training_images_alone() -> None:
    one, other = ([image for image in planned(agreement) if image.set != "train"] for agreement in (0.9, 1.0))
    assert one == other
