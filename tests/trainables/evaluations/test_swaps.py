import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import ClassVar

import pytest
import torch

from tests.trainables.evaluations.conftest import Images, context_of
from tests.trainables.evaluations.counting import BLUE, GREEN, RED, more_than, painted, two_pixels
from tests.trainables.evaluations.extremes import CHANCE, background_reader, extreme_context, object_reader
from trainables.config import Suite
from trainables.data import Batch, Draw
from trainables.evaluations.lenders import Kind, candidates
from trainables.evaluations.swaps import SWAPS, mixed_metrics


def drawn(kind: Kind, label: int, own: int, pools: Mapping[int, Sequence[int]], *, seed: int = 0) -> list[int]:
    return list(candidates(kind, label, own, pools, torch.Generator().manual_seed(seed)))


class TestCandidates:
    POOLS: ClassVar = {0: (0, 1, 2), 5: (3, 4), 7: (5,)}

    def test_of_the_same_class_all_others_may_lend(self) -> None:
        assert sorted(drawn("same", 0, 1, self.POOLS)) == [0, 2]
        assert drawn("same", 7, 5, self.POOLS) == []
        assert drawn("same", 6, 9, self.POOLS) == []
        assert {drawn("same", 0, 1, self.POOLS, seed=seed)[0] for seed in range(20)} == {0, 2}

    def test_the_next_class_is_the_next_number_and_the_first_follows_the_last(self) -> None:
        assert drawn("next", 5, 3, self.POOLS)[0] == 5
        assert {drawn("next", 7, 5, self.POOLS, seed=seed)[0] for seed in range(20)} == {0, 1, 2}
        assert {drawn("next", 6, 9, self.POOLS, seed=seed)[0] for seed in range(20)} == {5}

    def test_after_all_of_the_next_class_comes_the_one_after_it(self) -> None:
        order = drawn("next", 0, 0, self.POOLS)
        assert (set(order[:2]), order[2:]) == ({3, 4}, [5])

    def test_one_class_has_no_next_but_a_random_one(self) -> None:
        assert drawn("next", 3, 0, {3: (0, 1)}) == []
        assert drawn("rand", 3, 0, {3: (0, 1)}) == [1]
        assert drawn("rand", 3, 0, {3: (0,)}) == []

    def test_nobody_is_its_own_partner(self) -> None:
        for seed in range(20):
            for label, pool in self.POOLS.items():
                for own in pool:
                    assert own not in drawn("rand", label, own, self.POOLS, seed=seed)

    def test_the_random_class_is_uniform_however_many_images_it_has(self) -> None:
        """Of 900 draws every class gets a third, within four standard deviations."""
        pools, num = {0: range(900), 1: range(900, 910), 2: range(910, 912)}, 900
        lent = [bisect_right((900, 910), drawn("rand", 0, 0, pools, seed=seed)[0]) for seed in range(num)]
        shares = [count / num for _, count in sorted(Counter(lent).items())]
        assert shares == pytest.approx([1 / 3] * 3, abs=4 * (2 / 9 / num) ** 0.5)

    def test_draws_follow_the_seed(self) -> None:
        pools = {0: range(30)}
        assert drawn("rand", 0, 3, pools, seed=1) == drawn("rand", 0, 3, pools, seed=1)
        assert drawn("rand", 0, 3, pools, seed=1) != drawn("rand", 0, 3, pools, seed=2)


def test_means_and_standard_deviations_over_the_draws_by_hand() -> None:
    """Two images and two draws: accuracies 1 and 1/2 of the same class, 0 and 1/2 of a random, 1/2 twice of the next.

    So the gaps are 1 and 0. A sample standard deviation of two values is their distance over the square root of 2.
    """
    nan = math.nan
    same, rand, following = [[1, 1, nan], [1, 0, nan]], [[0, 0, nan], [0, 1, nan]], [[1, 0, nan], [0, 1, nan]]
    assert mixed_metrics(torch.tensor([same, rand, following], dtype=torch.float64)) == pytest.approx(
        {
            "background/mixed_same": 0.75,
            "background/mixed_rand": 0.25,
            "background/mixed_next": 0.5,
            "background/gap": 0.5,
            "background/mixed_same_std": 0.5 / 2**0.5,
            "background/mixed_rand_std": 0.5 / 2**0.5,
            "background/mixed_next_std": 0,
            "background/gap_std": 1 / 2**0.5,
        }
    )


def test_with_919_classes_every_image_finds_partners_outside_the_sample() -> None:
    """Two images a class, of which the sample has one in nearly every case."""
    labels = [index // 2 for index in range(2 * 919)]
    images = painted([RED] * len(labels), labels, two_pixels())
    context = replace(context_of(more_than(8, RED), images, settings=Suite(sample=60)), batch_size=512)
    sampled = context.sampled.labels_B.tolist()
    assert len(set(sampled)) >= 58
    settings = SWAPS.run(context).settings
    assert (settings["num_mixed"], settings["num_without_partner"]) == (60, 0)
    assert settings["num_lenders"] == len(labels)


class Unreadable(Images):
    """A data set in which the first image of each class cannot be read."""

    def __getitems__(self, draws: list[Draw]) -> Batch:
        return super().__getitems__([draw for draw in draws if draw.index not in (0, 3)])


@pytest.mark.parametrize(("colour", "limit", "same", "following"), [(RED, 13.5, 1, 0), (BLUE, 13.5, 0, 1)])
def test_images_that_cannot_be_read_lend_nothing_and_move_no_other(
    colour: int, limit: float, same: float, following: float
) -> None:
    whole = painted([BLUE, RED, RED, RED, BLUE, BLUE], [0, 0, 0, 1, 1, 1], two_pixels())
    images = Unreadable(whole._images_NCHW, [0, 0, 0, 1, 1, 1], whole._background_NHW, [True] * 6)
    result = SWAPS.run(context_of(more_than(limit, colour), images))
    assert (result.settings["num_mixed"], result.settings["num_lenders"]) == (4, 4)
    assert result.metrics["background/mixed_same"] == same
    assert result.metrics["background/mixed_next"] == following


@pytest.mark.parametrize(
    ("colour", "limit", "only_fg", "no_fg"),
    [(RED, 0.5, 0, 1), (RED, 13.5, 0, 1), (RED, 14.5, 0, 0), (GREEN, 1.5, 1, 0), (GREEN, 2.5, 0, 0), (BLUE, 0.5, 0, 0)],
)
def test_what_is_left_out_is_black(colour: int, limit: float, only_fg: int, no_fg: int) -> None:
    """An image has 14 pixels of red background and 2 of green object."""
    metrics = SWAPS.run(context_of(more_than(limit, colour), painted([RED], [0], two_pixels()))).metrics
    assert (metrics["background/only_fg"], metrics["background/no_fg"]) == (only_fg, no_fg)


@pytest.mark.parametrize(
    ("colour", "limit", "same", "following"),
    [
        (RED, 13.5, 1, 0),  # On its own class's background each image is said to be of its class, on the next none.
        (RED, 14.5, 2 / 5, 2 / 5),  # Nothing has so much red: all are said to be of class 1.
        (BLUE, 13.5, 0, 1),
        (BLUE, 14.5, 2 / 5, 2 / 5),
        (GREEN, 1.5, 3 / 5, 3 / 5),  # All have their own two pixels of object, and are said to be of class 0.
        (GREEN, 2.5, 2 / 5, 2 / 5),  # None shows the other image's object too.
    ],
)
def test_objects_lie_on_the_backgrounds_of_others(colour: int, limit: float, same: float, following: float) -> None:
    """Class 0 has three images on red, class 1 two on blue; of a background 14 pixels show around the object."""
    images = painted([RED, RED, RED, BLUE, BLUE], [0, 0, 0, 1, 1], two_pixels())
    metrics = SWAPS.run(context_of(more_than(limit, colour), images)).metrics
    assert metrics["background/mixed_same"] == pytest.approx(same)
    assert metrics["background/mixed_next"] == pytest.approx(following)


def test_the_gap_is_between_same_and_random_on_the_same_images() -> None:
    """Class 2 has one image, which is left out of all mixed metrics, but not of the others."""
    images = painted([RED, RED, BLUE, BLUE, RED], [0, 0, 1, 1, 2], two_pixels())
    result = SWAPS.run(context_of(more_than(8, RED), images))
    assert result.settings["num_mixed"] == 4
    assert result.settings["num_without_partner"] == 1
    assert {name: len(by_image) for name, by_image in result.samples.items()} == {
        "background/only_fg": 5,
        "background/no_fg": 5,
        "background/mixed_same": 4,
        "background/mixed_rand": 4,
        "background/mixed_next": 4,
    }
    assert result.metrics["background/mixed_same"] == 1
    assert result.metrics["background/no_fg"] == pytest.approx(4 / 5)
    assert result.metrics["background/gap"] == 1 - result.metrics["background/mixed_rand"]


def test_without_partners_mixed_metrics_are_nan() -> None:
    result = SWAPS.run(context_of(more_than(8, RED), painted([RED, RED], [0, 1], two_pixels())))
    mixed = [value for name, value in result.metrics.items() if "mixed" in name or "gap" in name]
    assert len(mixed) == 8
    assert all(map(math.isnan, mixed))
    assert result.metrics["background/no_fg"] == 0.5


def test_an_image_whose_object_reaches_all_edges_lends_no_background() -> None:
    object_NHW = torch.stack([two_pixels(), two_pixels(), torch.eye(4), two_pixels()])
    result = SWAPS.run(context_of(more_than(8, RED), painted([RED, RED, BLUE, RED], [0, 0, 1, 1], object_NHW)))
    assert result.settings["num_not_tiled"] == 1
    assert result.settings["num_without_partner"] == 1  # Image 3, of whose class only image 2 is left.


def test_a_network_that_reads_the_background_alone_follows_the_background() -> None:
    context = extreme_context(background_reader())
    metrics = SWAPS.run(context).metrics
    assert metrics["background/mixed_same"] == metrics["background/no_fg"] == 1
    assert metrics["background/mixed_next"] == 0
    assert metrics["background/only_fg"] == pytest.approx(CHANCE)
    assert metrics["background/mixed_rand"] == pytest.approx(CHANCE, abs=3 * (CHANCE * (1 - CHANCE) / 180) ** 0.5)
    assert metrics["background/gap"] == 1 - metrics["background/mixed_rand"]
    assert metrics["background/mixed_same_std"] == metrics["background/mixed_next_std"] == 0
    assert 0 < metrics["background/gap_std"] == pytest.approx(metrics["background/mixed_rand_std"])


def test_a_network_that_reads_the_object_alone_does_not_mind() -> None:
    metrics = SWAPS.run(extreme_context(object_reader())).metrics
    for name in ("only_fg", "mixed_same", "mixed_rand", "mixed_next"):
        assert metrics[f"background/{name}"] == 1
    assert metrics["background/no_fg"] == pytest.approx(CHANCE)
    assert metrics["background/gap"] == 0


def test_metrics_follow_the_seed_and_not_the_batches() -> None:
    first = SWAPS.run(extreme_context(background_reader(), num=60))
    assert SWAPS.run(extreme_context(background_reader(), num=60, batch_size=7)) == first
    assert SWAPS.run(extreme_context(background_reader(), num=60, seed=1)).metrics != first.metrics
    assert all(any(fnmatchcase(name, pattern) for pattern in SWAPS.directions) for name in first.metrics)
    assert len(first.metrics) == 10
    assert first.settings == {
        "seed": 0,
        "num_pictures": 60,
        "num_without_mask": 0,
        "draws": 3,
        "num_lenders": 60,
        "num_mixed": 60,
        "num_without_partner": 0,
        "num_not_tiled": 0,
    }
